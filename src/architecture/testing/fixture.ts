import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { diskFolder, diskSource } from '../../checkpoint/files/disk.ts';
import { openFolder } from '../../checkpoint/folder.ts';
import { safetensorsWeights } from '../../checkpoint/formats/safetensors/safetensors.ts';
import type { Weights } from '../../checkpoint/weights.ts';
import { stackedExperts } from '../stacked-experts.ts';

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
  'lfm2-moe',
  'phi3',
  'phi3-longrope',
] as const;

export type FixtureName = (typeof FIXTURES)[number];

export interface Fixture {
  readonly checkpoint: Checkpoint;
  /** Two windows of token ids. */
  readonly windows: readonly (readonly number[])[];
  /** What transformers computes: logits, losses, gradients. */
  readonly expected: Weights;
  /** The config as transformers writes it today, where config.json has the fields that published models have. */
  readonly savedConfig: Readonly<Record<string, unknown>>;
}

export function fixtureFolder(name: FixtureName): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

export async function openFixture(name: FixtureName): Promise<Fixture> {
  const path = fixtureFolder(name);
  const json = async (file: string): Promise<unknown> => JSON.parse(await readFile(`${path}/${file}`, 'utf8'));
  return {
    checkpoint: stackedExperts(await openFolder(await diskFolder(path), { weights: 'model.safetensors' })),
    windows: (await json('tokens.json')) as number[][],
    expected: await safetensorsWeights([await diskSource(`${path}/expected.safetensors`)]),
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
