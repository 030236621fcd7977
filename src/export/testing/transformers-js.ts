import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { AutoModelForCausalLM, env, type PreTrainedModel, Tensor } from '@huggingface/transformers';
import { afterAll, beforeAll } from 'vitest';
import { createNodeRuntime } from '../../runtime/node.ts';
import type { Runtime } from '../../runtime/runtime.ts';

env.allowRemoteModels = false;
env.allowLocalModels = true;

/** A runtime of one thread and a folder to export to, for as long as the tests of the file run. */
export function exportBench(): { readonly runtime: Runtime; readonly folder: string } {
  let runtime: Runtime | undefined;
  let folder: string | undefined;
  beforeAll(async () => {
    runtime = await createNodeRuntime({ threads: 1 });
    folder = await mkdtemp(join(tmpdir(), 'espalier-transformers-'));
  });
  afterAll(async () => {
    runtime?.dispose();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });
  const there = <Value>(value: Value | undefined): Value => {
    if (value === undefined) throw new Error('The bench is there while tests run.');
    return value;
  };
  return {
    get runtime() {
      return there(runtime);
    },
    get folder() {
      return there(folder);
    },
  };
}

/** A model that was exported, opened by transformers.js with nothing of ours; in the numbers that its config.json names. */
export function openTransformers(path: string): Promise<PreTrainedModel> {
  env.localModelPath = dirname(path);
  return AutoModelForCausalLM.from_pretrained(basename(path), { local_files_only: true });
}

/** What transformers.js takes for one row of tokens. */
export function transformersInputs(ids: readonly number[]): { readonly ids: Tensor; readonly mask: Tensor } {
  const shape = [1, ids.length];
  return {
    ids: new Tensor('int64', BigInt64Array.from(ids, BigInt), shape),
    mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n), shape),
  };
}

/** Greedy tokens by transformers.js, prompt included. */
export async function greedyByTransformers(path: string, prompt: readonly number[], count: number): Promise<number[]> {
  const model = await openTransformers(path);
  const { ids, mask } = transformersInputs(prompt);
  const output = await model.generate({
    inputs: ids,
    attention_mask: mask,
    max_new_tokens: count,
    do_sample: false,
  } as never);
  await model.dispose();
  return Array.from((output as Tensor).data as BigInt64Array, Number);
}
