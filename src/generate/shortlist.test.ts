import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DeviceError } from '../errors.ts';
import { seededRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { createSampler, type SamplingOptions } from './sampling.ts';
import { Shortlister } from './shortlist.ts';

const VOCABULARY = 600;

let runtime: Runtime;
let shortlister: Shortlister;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
  shortlister = new Shortlister(runtime, VOCABULARY);
});
afterAll(async () => {
  shortlister.dispose();
  await runtime.synchronize();
  expect(runtime.statistics()).toMatchObject({ liveTensors: 0, liveSessions: 0 });
  runtime.dispose();
});

const OPTIONS: Readonly<Record<string, SamplingOptions>> = {
  greedy: {},
  'greedy with a penalty': { repetitionPenalty: 1.3 },
  'greedy with a bonus': { repetitionPenalty: 0.7 },
  'top-k': { temperature: 0.8, topK: 5 },
  'top-k of one': { temperature: 2, topK: 1 },
  'top-k with a penalty': { temperature: 1, topK: 40, repetitionPenalty: 1.1 },
  'top-k and top-p': { temperature: 0.7, topK: 50, topP: 0.9 },
  'top-p': { temperature: 1, topP: 0.9 },
  'top-p, nearly greedy': { temperature: 0.01, topP: 0.95 },
  'top-p, hot': { temperature: 5, topP: 0.99 },
  'top-p with a penalty': { temperature: 1, topP: 0.5, repetitionPenalty: 1.5 },
  'the whole distribution': { temperature: 1 },
};

/** Logits as models give them (`levels` 0), or with so many different values that most are ties. */
function draw(seed: number, levels: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: VOCABULARY }, () => {
    const value = 6 * (random() + random() + random() - 1.5);
    return levels === 0 ? value : Math.round((value * levels) / 9);
  });
}

/** Both ways with the same random numbers; `shortened` tells whether the shortlist was enough. */
async function both(logits: Float32Array, history: readonly number[], options: SamplingOptions, seed: number) {
  const plain = createSampler(options, seededRandom(seed));
  const short = createSampler(options, seededRandom(seed));
  const expected = plain.sample(logits, history);
  using tensor = runtime.upload({ dataType: 'float32', shape: [1, 1, VOCABULARY], data: logits });
  const shortlist = short.request && (await shortlister.of(tensor, short.request));
  const found = shortlist && short.fromShortlist(shortlist, history);
  return { expected, found: found ?? short.sample(logits, history), shortened: found !== undefined };
}

describe('a shortlist', () => {
  for (const [name, options] of Object.entries(OPTIONS)) {
    test(`chooses what all logits choose: ${name}`, async () => {
      let shortened = 0;
      for (let seed = 0; seed < 60; seed++) {
        const logits = draw(seed, [0, 4, 20][seed % 3] as number);
        // What occurred are mostly the greatest logits, as in text.
        const order = [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number));
        const history = order.filter((_, place) => place % 2 === seed % 2).slice(0, seed);
        const result = await both(logits, history, options, seed);
        expect(result.found.tokenId).toBe(result.expected.tokenId);
        expect(result.found.probability / result.expected.probability).toBeCloseTo(1, 12);
        shortened += result.shortened ? 1 : 0;
      }
      const needsAll = ['greedy with a bonus', 'top-p, hot', 'top-p with a penalty', 'the whole distribution'].includes(name);
      if (needsAll) expect(shortened).toBe(0);
      else expect(shortened).toBeGreaterThan(10);
    });
  }

  test('reads all logits where tokens that are not listed could be drawn', async () => {
    const flat = new Float32Array(VOCABULARY).fill(1);
    expect(await both(flat, [], { temperature: 1, topP: 0.9 }, 3)).toMatchObject({ shortened: false });
    const everything = [...flat.keys()];
    expect(await both(flat, everything, { repetitionPenalty: 2 }, 3)).toMatchObject({ shortened: false });
    expect(await both(flat, [], {}, 3)).toMatchObject({ shortened: true, found: { tokenId: 0 } });
  });

  test('refuses logits that are not finite, as the sampler does', async () => {
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const logits = draw(1, 0);
      logits[17] = wrong;
      using tensor = runtime.upload({ dataType: 'float32', shape: [1, 1, VOCABULARY], data: logits });
      await expect(shortlister.of(tensor, { count: 1 })).rejects.toThrow(DeviceError);
      expect(() => createSampler({}, seededRandom(0)).sample(logits, [])).toThrow('not finite numbers');
    }
  });

  test('is not given for logits of several positions', async () => {
    using two = runtime.upload({ dataType: 'float32', shape: [1, 2, VOCABULARY], data: new Float32Array(2 * VOCABULARY) });
    expect(await shortlister.of(two, { count: 1 })).toBeUndefined();
  });
});
