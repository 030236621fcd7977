import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { diskFolder, diskSource } from '../../checkpoint/files/disk.ts';
import { openFolder } from '../../checkpoint/folder.ts';
import { safetensorsWeights } from '../../checkpoint/formats/safetensors/safetensors.ts';
import { canonicalCheckpoint } from '../index.ts';

/** Tiny random models of every architecture (scripts/fixtures/architectures.py). */
export const FIXTURES = [
  'llama',
  'llama-biases',
  'mistral',
  'qwen2',
  'qwen2-yarn',
  'qwen3',
  'gemma3',
  'lfm2',
  'lfm2-biases',
  'qwen3-moe',
  'qwen3-5',
  'qwen3-5-shared',
  'gpt-oss',
  'lfm2-moe',
  'phi3',
  'phi3-longrope',
  'phi4-mini',
  'granite',
  'granite4',
  'smollm3',
  'gemma',
  'gemma2',
  'olmo2',
  'olmo3',
  'glm',
  'glm4',
  'ernie4_5',
  'hunyuan',
  'stablelm',
  'stablelm-parallel',
  'starcoder2',
  'phi',
  'ministral3',
  'gpt2',
  'pythia',
  'opt',
] as const;

export type FixtureName = (typeof FIXTURES)[number];

export interface Fixture {
  readonly checkpoint: Checkpoint;
  /** Two windows of token ids. */
  readonly windows: readonly (readonly number[])[];
  /** What transformers computes: logits, losses, gradients. */
  readonly expected: Pick<Checkpoint, 'tensors' | 'read'>;
  /** The config as transformers writes it today, where config.json has the fields that published models have. */
  readonly savedConfig: Readonly<Record<string, unknown>>;
}

export function fixtureFolder(name: FixtureName): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

export async function openFixture(name: FixtureName): Promise<Fixture> {
  const path = fixtureFolder(name);
  const json = async (file: string): Promise<unknown> => JSON.parse(await readFile(`${path}/${file}`, 'utf8'));
  const checkpoint = await openFolder(await diskFolder(path), { weights: 'model.safetensors' });
  const expected = await safetensorsWeights([await diskSource(`${path}/expected.safetensors`)]);
  return {
    checkpoint: canonicalCheckpoint(checkpoint),
    windows: (await json('tokens.json')) as number[][],
    // Gradients have the names of their weights.
    expected: canonicalCheckpoint({ ...checkpoint, ...expected }),
    savedConfig: (await json('config-saved.json')) as Record<string, unknown>,
  };
}

/** Largest absolute difference, relative to the largest value expected. */
export function relativeDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let largest = 0;
  for (let index = 0; index < expected.length; index++) {
    difference = Math.max(difference, Math.abs((found[index] as number) - (expected[index] as number)));
    largest = Math.max(largest, Math.abs(expected[index] as number));
  }
  // Not a comparison, so that NaN is not taken for agreement.
  return difference / largest;
}
