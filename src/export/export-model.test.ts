import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { Programs } from '../architecture/programs.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { CancelledError, UsageError, VerificationError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { Progress } from '../progress.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { blockProgramLogits } from './block-logits.ts';
import { diskOutput } from './disk.ts';
import { type ExportOptions, exportModel } from './export-model.ts';
import { memoryFolder } from './memory-folder.ts';
import type { OutputFolder } from './output-folder.ts';
import { randomLlama } from './testing/random-llama.ts';
import { referenceLogits } from './testing/reference-llama.ts';

let runtime: Runtime;
let folder: string;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
  folder = await mkdtemp(join(tmpdir(), 'espalier-export-'));
});
afterAll(async () => {
  runtime.dispose();
  await rm(folder, { recursive: true, force: true });
});

const WIDTHS = [
  { keyValueHeads: 1, neurons: 17 },
  { keyValueHeads: 0, neurons: 0 },
  { keyValueHeads: 2, neurons: 40 },
];
const PRUNED = { widths: WIDTHS };
const PLAN: Plan = {
  format: 'espalier-plan/1',
  recipe: {
    model: { name: 'random-llama' },
    metric: 'vector',
    search: 'standardised',
    target: { kind: 'ratio', value: 0.3 },
    seed: 0,
  },
  ratio: 0.3,
  parametersBefore: 50_000,
  parametersAfter: 30_000,
  layers: [
    { attention: [0], mlp: Array.from({ length: 17 }, (_, index) => index) },
    { attention: [], mlp: [] },
    { attention: [0, 1], mlp: Array.from({ length: 40 }, (_, index) => index) },
  ],
};

const definition = (checkpoint: Checkpoint) => async (tokenIds: readonly number[]) => {
  const rows = await referenceLogits(checkpoint, tokenIds);
  return Float32Array.from(rows.flatMap((row) => [...row]));
};

const optionsFor = (
  checkpoint: Checkpoint,
  output: OutputFolder,
  more: Partial<ExportOptions> = {},
): ExportOptions => ({
  model: modelOf(checkpoint),
  output,
  runtime,
  reference: definition(checkpoint),
  version: '0.0.0',
  ...more,
});

const textOf = async (files: ReadonlyMap<string, Blob>, name: string) => (await files.get(name)?.text()) ?? '';

describe('exportModel', () => {
  test('writes a folder that is the same model, with its widths, hashes and verification', async () => {
    const checkpoint = randomLlama(PRUNED);
    const output = memoryFolder();
    const result = await exportModel(optionsFor(checkpoint, output, { plan: PLAN, figures: { perplexity: '4.2' } }));
    expect([...output.files.keys()].sort()).toEqual(
      [
        'README.md',
        'config.json',
        'espalier.json',
        'genai_config.json',
        'generation_config.json',
        'onnx/genai.onnx',
        'onnx/model.onnx',
        'onnx/model.onnx_data',
      ].sort(),
    );
    expect(result.verification.positions).toBe(256);
    expect(result.verification.maxAbsoluteDifference).toBeLessThan(1e-4);
    expect(result.verification.top1Agreement).toBe(1);

    const config = JSON.parse(await textOf(output.files, 'config.json'));
    const reopened = modelOf({ ...checkpoint, config });
    expect(reopened.architecture.config.layerWidths).toEqual(WIDTHS);

    const record = JSON.parse(await textOf(output.files, 'espalier.json'));
    expect(record).toMatchObject({
      format: 'espalier-model/1',
      dtype: 'f32',
      recipe: PLAN.recipe,
      kept: PLAN.layers,
      verification: result.verification,
    });
    for (const { name, bytes, sha256 } of record.files) {
      const contents = new Uint8Array((await output.files.get(name)?.arrayBuffer()) ?? new ArrayBuffer(0));
      expect([name, contents.byteLength]).toEqual([name, bytes]);
      expect(createHash('sha256').update(contents).digest('hex')).toBe(sha256);
    }
    const card = await textOf(output.files, 'README.md');
    expect(card).toContain('license: apache-2.0');
    expect(card).toContain('| 1 | removed | removed |');
    expect(card).toContain('| perplexity | 4.2 |');
  });

  test('two exports of one model are the same bytes', async () => {
    const bytes = async () => {
      const output = memoryFolder();
      return (await exportModel(optionsFor(randomLlama(PRUNED), output))).files.map(({ name, sha256 }) => [
        name,
        sha256,
      ]);
    };
    expect(await bytes()).toEqual(await bytes());
  });

  test('the block programs agree with the export, and progress ends complete', async () => {
    const checkpoint = randomLlama({ layers: 2 });
    const model = modelOf(checkpoint);
    using programs = new Programs(runtime, model.architecture);
    using store = new WeightStore(runtime, model);
    const seen: Progress[] = [];
    const { verification } = await exportModel(
      optionsFor(checkpoint, memoryFolder(), {
        reference: blockProgramLogits(programs, store),
        onProgress: (progress) => seen.push(progress),
      }),
    );
    expect(verification.maxAbsoluteDifference).toBeLessThan(1e-4);
    for (const stage of ['writing weights', 'verifying']) {
      const events = seen.filter((event) => event.stage === stage);
      expect(events.at(-1)?.completed).toBe(events.at(-1)?.total);
      events.forEach((event, index) => {
        expect(event.completed).toBeGreaterThanOrEqual(events[index - 1]?.completed ?? 0);
      });
    }
  });

  test('refuses a decoder that is not the model, and keeps nothing', async () => {
    const checkpoint = randomLlama();
    const other = definition(randomLlama({ seed: 2 }));
    const output = memoryFolder();
    await expect(exportModel(optionsFor(checkpoint, output, { reference: other }))).rejects.toThrow(VerificationError);
    expect(output.files.size).toBe(0);
    const path = join(folder, 'refused');
    await expect(exportModel(optionsFor(checkpoint, await diskOutput(path), { reference: other }))).rejects.toThrow(
      'Nothing was kept',
    );
    expect(await readdir(folder)).toEqual([]);
  });

  test('refuses logits that are not numbers; a text that is too short is made up for', async () => {
    const checkpoint = randomLlama();
    const broken = async (tokenIds: readonly number[]) =>
      (await definition(checkpoint)(tokenIds)).fill(Number.NaN, 5, 6);
    await expect(exportModel(optionsFor(checkpoint, memoryFolder(), { reference: broken }))).rejects.toThrow(
      VerificationError,
    );
    const { verification } = await exportModel(optionsFor(checkpoint, memoryFolder(), { windows: [[1, 2, 3]] }));
    expect(verification.positions).toBe(256);
  });
});

describe('diskOutput', () => {
  test('the folder appears whole, replaces an earlier export, and no temporary folder stays', async () => {
    const parent = await mkdtemp(join(folder, 'whole-'));
    const path = join(parent, 'model');
    await exportModel(optionsFor(randomLlama(PRUNED), await diskOutput(path)));
    expect((await readdir(path)).sort()).toEqual([
      'README.md',
      'config.json',
      'espalier.json',
      'genai_config.json',
      'generation_config.json',
      'onnx',
    ]);
    const first = await readFile(join(path, 'onnx/model.onnx_data'));
    await exportModel(optionsFor(randomLlama({ ...PRUNED, seed: 5 }), await diskOutput(path)));
    expect((await readFile(join(path, 'onnx/model.onnx_data'))).equals(first)).toBe(false);
    expect(await readdir(parent)).toEqual(['model']);
  });

  test('a cancelled export leaves nothing, at whatever point', async () => {
    const parent = await mkdtemp(join(folder, 'cancelled-'));
    for (const stage of ['writing weights', 'verifying']) {
      const controller = new AbortController();
      const run = exportModel(
        optionsFor(randomLlama(PRUNED), await diskOutput(join(parent, 'model')), {
          signal: controller.signal,
          onProgress: (progress) => progress.stage === stage && controller.abort(),
        }),
      );
      await expect(run).rejects.toThrow(CancelledError);
      expect(await readdir(parent)).toEqual([]);
    }
  });

  test('refuses to replace what no export wrote', async () => {
    const path = join(folder, 'precious');
    await mkdir(path);
    await writeFile(join(path, 'thesis.txt'), 'years of work');
    await expect(diskOutput(path)).rejects.toThrow(UsageError);
    await expect(diskOutput(join(path, 'thesis.txt'))).rejects.toThrow('it is a file');
    await expect(diskOutput(join(folder, 'new/deeper'))).resolves.toBeDefined();
  });
});
