import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AutoTokenizer, env } from '@huggingface/transformers';
import { describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { diskFolder } from '../checkpoint/files/disk.ts';
import { openFolder } from '../checkpoint/folder.ts';
import type { ExportDataType } from '../decoder/dtypes.ts';
import type { Decoder } from '../generate/decoder.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import { greatest } from '../generate/sampling.ts';
import { OpenModel } from '../library/open-model.ts';
import { blockProgramLogits } from './block-logits.ts';
import { diskOutput } from './disk.ts';
import { exportModel } from './export-model.ts';
import { type RandomLlamaOptions, randomLlama } from './testing/random-llama.ts';
import { referenceLogits } from './testing/reference-llama.ts';
import { exportBench, greedyByTransformers } from './testing/transformers-js.ts';

/** Development test: what users do with an export. transformers.js runs it with nothing of ours. */
const bench = exportBench();

/** Greedy tokens by our own loop, prompt included. */
async function ownGreedy(decoder: Decoder, prompt: readonly number[], count: number): Promise<number[]> {
  using sequence = decoder.start(prompt.length + count);
  const tokens = [...prompt, greatest(await sequence.append(prompt))];
  while (tokens.length < prompt.length + count) tokens.push(greatest(await sequence.append(tokens.slice(-1))));
  return tokens;
}

async function exported(checkpoint: Checkpoint, name: string, dataType: ExportDataType = 'f32'): Promise<string> {
  const path = join(bench.folder, name);
  using open = new OpenModel(bench.runtime, checkpoint);
  await exportModel({
    model: open.model,
    output: await diskOutput(path),
    runtime: bench.runtime,
    reference: blockProgramLogits(open.programs, open.store),
    dataType,
    version: '0.0.0',
  });
  return path;
}

const SHAPES: Readonly<Record<string, RandomLlamaOptions>> = {
  uniform: { seed: 3 },
  'non-uniform': {
    seed: 4,
    widths: [
      { keyValueHeads: 1, neurons: 17 },
      { keyValueHeads: 0, neurons: 0 },
      { keyValueHeads: 2, neurons: 40 },
    ],
  },
};

describe('transformers.js', () => {
  for (const [name, options] of Object.entries(SHAPES)) {
    test(`loads an export of ${name} widths and decodes the tokens of the definition`, async () => {
      const checkpoint = randomLlama(options);
      modelOf(checkpoint);
      const path = await exported(checkpoint, name.replace(' ', '-'));
      const prompt = [10, 20, 30, 40, 50];
      const found = await greedyByTransformers(path, prompt, 12);
      const expected = [...prompt];
      while (expected.length < found.length) {
        const logits = (await referenceLogits(checkpoint, expected)).at(-1) ?? new Float64Array();
        expected.push(logits.indexOf(Math.max(...logits)));
      }
      expect(found).toEqual(expected);
      expect(found.length).toBeGreaterThan(prompt.length);
    });
  }
});

const SHARED = '../shared/data';
interface Reference {
  readonly plan: { readonly prompt: number[]; readonly greedy: number[] };
}
interface ExtraReference {
  readonly plans: {
    readonly fusion: string;
    readonly search: string;
    readonly ratio: number;
    readonly layers: { attention: number[]; mlp: number[] }[];
  }[];
  readonly prompt: number[];
  readonly greedy: Readonly<Record<string, number[]>>;
}

describe.runIf(existsSync(`${SHARED}/models/stories260K`))('transformers.js on real models', () => {
  for (const name of ['stories260K', 'TinyStories-656K']) {
    test(`${name}: pruned by a fixed plan and by searched ones, greedy tokens are the reference's`, async () => {
      const json = async <T>(file: string) => JSON.parse(await readFile(`${SHARED}/reference/${file}`, 'utf8')) as T;
      const checkpoint = await openFolder(await diskFolder(`${SHARED}/models/${name}`));
      const reference = await json<Reference>(`${name}.json`);
      const extra = await json<ExtraReference>(`${name}-extra.json`);
      using open = new OpenModel(bench.runtime, checkpoint);
      const { config } = open;
      const range = (size: number) => Array.from({ length: size }, (_, index) => index);
      const fixed = range(config.layers).map((layer) => ({
        attention: range(config.keyValueHeads - (layer % 2)),
        mlp: range(config.neurons).filter((neuron) => neuron % 4 !== 1),
      }));
      const cases = [
        { label: 'fixed', layers: fixed, prompt: reference.plan.prompt, greedy: reference.plan.greedy },
        ...extra.plans.flatMap(({ fusion, search, ratio, layers }) => {
          const tokens = extra.greedy[`${fusion} ${search} ${ratio}`];
          return tokens
            ? [{ label: `${fusion} ${search} ${ratio}`, layers, prompt: extra.prompt, greedy: tokens }]
            : [];
        }),
      ];
      expect(cases).toHaveLength(5);
      for (const { label, layers, prompt, greedy: expected } of cases) {
        using pruned = open.pruned(layers);
        const path = await exported(pruned.model.checkpoint, `${name}-${label.replaceAll(/\W/g, '-')}`);
        expect([label, await greedyByTransformers(path, prompt, expected.length - prompt.length)]).toEqual([
          label,
          expected,
        ]);
        using decoder = await decoderForModel(bench.runtime, pruned.model);
        expect([label, await ownGreedy(decoder, prompt, expected.length - prompt.length)]).toEqual([label, expected]);
        env.localModelPath = dirname(path);
        const tokenizer = await AutoTokenizer.from_pretrained(basename(path), { local_files_only: true });
        expect(tokenizer.decode(expected).length).toBeGreaterThan(20);
      }
    }, 120_000);
  }
});
