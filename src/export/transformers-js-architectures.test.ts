import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { architectureFor } from '../architecture/index.ts';
import { FIXTURES, fixtureFolder, openFixture } from '../architecture/testing/fixture.ts';
import { OpenModel } from '../library/open-model.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { LayerPlan } from '../surgery/plan.ts';
import { blockProgramLogits } from './block-logits.ts';
import { diskOutput } from './disk.ts';
import { exportModel } from './export-model.ts';

/** Every architecture, exported and run by transformers.js with nothing of ours, against greedy tokens of PyTorch. */
env.allowRemoteModels = false;
env.allowLocalModels = true;

interface Greedy {
  readonly prompt: readonly number[];
  readonly plan: readonly LayerPlan[];
  readonly dense: readonly number[];
  /** Of the model in which what the removed groups contribute is zero. */
  readonly pruned: readonly number[];
}

let runtime: Runtime;
let folder: string;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
  folder = await mkdtemp(join(tmpdir(), 'espalier-architectures-'));
});
afterAll(async () => {
  runtime.dispose();
  await rm(folder, { recursive: true, force: true });
});

async function exported(open: OpenModel, name: string): Promise<string> {
  const path = join(folder, name);
  const reference = blockProgramLogits(open.programs, open.store);
  await exportModel({ model: open.model, output: await diskOutput(path), runtime, reference, version: '0.0.0' });
  return path;
}

/** Greedy tokens by transformers.js, prompt included. */
async function continued(path: string, prompt: readonly number[], count: number): Promise<number[]> {
  env.localModelPath = dirname(path);
  const model = await AutoModelForCausalLM.from_pretrained(basename(path), { local_files_only: true });
  const inputs = new Tensor('int64', BigInt64Array.from(prompt, BigInt), [1, prompt.length]);
  const attentionMask = new Tensor('int64', new BigInt64Array(prompt.length).fill(1n), [1, prompt.length]);
  const output = await model.generate({ inputs, attention_mask: attentionMask, max_new_tokens: count, do_sample: false } as never);
  await model.dispose();
  return Array.from((output as Tensor).data as BigInt64Array, Number);
}

describe.each(FIXTURES)('transformers.js decodes %s as PyTorch does', (name) => {
  test.each(['dense', 'pruned'] as const)('%s', async (kind) => {
    const greedy = JSON.parse(await readFile(join(fixtureFolder(name), 'greedy.json'), 'utf8')) as Greedy;
    const { checkpoint } = await openFixture(name);
    using dense = new OpenModel(runtime, checkpoint);
    using open = kind === 'dense' ? dense.withCheckpoint(checkpoint) : dense.pruned(greedy.plan);
    const path = await exported(open, `${name}-${kind}`);
    const expected = greedy[kind];
    expect(await continued(path, greedy.prompt, expected.length - greedy.prompt.length)).toEqual(expected);
    const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8')) as Record<string, unknown> & { espalier: { layers: unknown[] } };
    expect(config.espalier.layers).toHaveLength(greedy.plan.length);
    // Whoever reads the exported config sees the same rotations and windows.
    const reread = architectureFor({ ...open.model.checkpoint, config });
    for (const layer of greedy.plan.keys()) expect(reread.positions(layer)).toEqual(open.model.architecture.positions(layer));
    expect(reread.config.layerWidths).toEqual(open.config.layerWidths);
  });
});
