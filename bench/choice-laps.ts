import { chooseFrom, createSampler, type SamplingOptions } from '../src/generate/sampling.ts';
import { Shortlister } from '../src/generate/shortlist.ts';
import { seededRandom } from '../src/random.ts';
import type { DeviceTensor, Runtime } from '../src/runtime/runtime.ts';

const CHOICES: Readonly<Record<string, SamplingOptions>> = {
  greedy: {},
  'top-p 0.9': { temperature: 0.8, topP: 0.9 },
  'top-k 40, penalty 1.1': { temperature: 0.8, topK: 40, repetitionPenalty: 1.1 },
};

/** Milliseconds of choosing a token from logits on the device, laps in turn. */
export interface ChoiceLaps {
  readonly choice: string;
  readonly vocabulary: number;
  /** All logits read, the choice by the definition. */
  readonly plain: readonly number[];
  /** All logits read, the choice by a shortlist in JavaScript. */
  readonly host: readonly number[];
  /** From a shortlist that the device makes; empty where the backend gives none. */
  readonly shortened: readonly number[];
}

export async function choiceLaps(runtime: Runtime, vocabulary: number, rounds: number): Promise<ChoiceLaps[]> {
  using shortlister = new Shortlister(runtime, vocabulary);
  const random = seededRandom(1);
  const data = Float32Array.from({ length: vocabulary }, () => 14 * (random() + random() + random() + random() - 2));
  using logits = runtime.upload({ dataType: 'float32', shape: [1, 1, vocabulary], data });
  const laps: ChoiceLaps[] = [];
  for (const [choice, options] of Object.entries(CHOICES)) {
    const plain: number[] = [];
    const host: number[] = [];
    const shortened: number[] = [];
    for (let round = -2; round < rounds; round++) {
      const times = [
        await lap(() => plainly(runtime, logits, options)),
        await lap(() => shortly(shortlister, logits, options)),
        await lap(() => onHost(runtime, logits, options)),
      ];
      if (round < 0) continue;
      if (times[0] !== undefined) plain.push(times[0]);
      if (times[1] !== undefined) shortened.push(times[1]);
      if (times[2] !== undefined) host.push(times[2]);
    }
    laps.push({ choice, vocabulary, plain, host, shortened });
  }
  return laps;
}

async function lap(work: () => Promise<boolean>): Promise<number | undefined> {
  const started = performance.now();
  return (await work()) ? performance.now() - started : undefined;
}

async function plainly(runtime: Runtime, logits: DeviceTensor, options: SamplingOptions): Promise<boolean> {
  const { data } = await runtime.read(logits);
  createSampler(options, seededRandom(1)).sample(data as Float32Array, HISTORY);
  return true;
}

async function onHost(runtime: Runtime, logits: DeviceTensor, options: SamplingOptions): Promise<boolean> {
  const { data } = await runtime.read(logits);
  chooseFrom(data as Float32Array, createSampler(options, seededRandom(1)), HISTORY);
  return true;
}

async function shortly(shortlister: Shortlister, logits: DeviceTensor, options: SamplingOptions): Promise<boolean> {
  const sampler = createSampler(options, seededRandom(1));
  const shortlist = sampler.request && (await shortlister.of(logits, sampler.request));
  return shortlist !== undefined && sampler.fromShortlist(shortlist, HISTORY) !== undefined;
}

const HISTORY = Array.from({ length: 64 }, (_, index) => index * 31);
