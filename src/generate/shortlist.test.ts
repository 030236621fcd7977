import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DeviceError } from '../errors.ts';
import { seededRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { createWebRuntime } from '../runtime/web.ts';
import { createSampler, type SamplingOptions } from './sampling.ts';
import { Shortlister, type ShortlistRequest, shortlistOf } from './shortlist.ts';

const VOCABULARY = 600;

let runtimes: readonly Runtime[];
let shortlisters: readonly Shortlister[];
beforeAll(async () => {
  runtimes = [await createNodeRuntime({ threads: 1 }), await createWebRuntime({ backend: 'wasm', threads: 1 })];
  shortlisters = runtimes.map((runtime) => new Shortlister(runtime, VOCABULARY));
});
afterAll(async () => {
  for (const shortlister of shortlisters) shortlister.dispose();
  for (const runtime of runtimes) {
    await runtime.synchronize();
    expect(runtime.statistics()).toMatchObject({ liveTensors: 0, liveSessions: 0 });
    runtime.dispose();
  }
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

/** From all logits, and from the shortlists of the CPU, of WebAssembly and of JavaScript, with the same random numbers; `shortened` counts those that were enough. */
async function allWays(logits: Float32Array, history: readonly number[], options: SamplingOptions, seed: number) {
  const expected = createSampler(options, seededRandom(seed)).sample(logits, history);
  const found = [];
  let shortened = 0;
  for (const way of [0, 1, 2]) {
    const sampler = createSampler(options, seededRandom(seed));
    const shortlist =
      sampler.request &&
      (way === 2 ? shortlistOf(logits, sampler.request) : await onDevice(way, logits, sampler.request));
    const choice = shortlist && sampler.fromShortlist(shortlist, history);
    shortened += choice ? 1 : 0;
    found.push(choice ?? sampler.sample(logits, history));
  }
  return { expected, found, shortened };
}

async function onDevice(way: number, logits: Float32Array, request: ShortlistRequest) {
  const [runtime, shortlister] = [runtimes[way] as Runtime, shortlisters[way] as Shortlister];
  using tensor = runtime.upload({ dataType: 'float32', shape: [1, 1, VOCABULARY], data: logits });
  return await shortlister.of(tensor, request);
}

describe('a shortlist', () => {
  test('is made by one thread: more would take the cores from the decoder, whose threads wait for the next token', async () => {
    const runtime = runtimes[0] as Runtime;
    const create = vi.spyOn(runtime, 'createSession');
    using shortlister = new Shortlister(runtime, VOCABULARY);
    using tensor = runtime.upload({ dataType: 'float32', shape: [1, 1, VOCABULARY], data: draw(0, 0) });
    await shortlister.of(tensor, { count: 3 });
    expect(create.mock.calls.map(([, options]) => options?.oneThread)).toEqual([true]);
    create.mockRestore();
  });

  for (const [name, options] of Object.entries(OPTIONS)) {
    test(`chooses what all logits choose: ${name}`, async () => {
      let shortened = 0;
      for (let seed = 0; seed < 45; seed++) {
        const logits = draw(seed, [0, 4, 20][seed % 3] as number);
        // What occurred are mostly the greatest logits, as in text.
        const order = [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number));
        const history = order.filter((_, place) => place % 2 === seed % 2).slice(0, seed);
        const result = await allWays(logits, history, options, seed);
        for (const { tokenId, probability } of result.found) {
          expect(tokenId).toBe(result.expected.tokenId);
          expect(probability / result.expected.probability).toBeCloseTo(1, 5);
        }
        shortened += result.shortened;
      }
      const needsAll = ['greedy with a bonus', 'top-p, hot', 'top-p with a penalty', 'the whole distribution'].includes(
        name,
      );
      if (needsAll) expect(shortened).toBe(0);
      else expect(shortened).toBeGreaterThan(30);
    });
  }

  test('reads all logits where tokens that are not listed could be drawn', async () => {
    const flat = new Float32Array(VOCABULARY).fill(1);
    expect(await allWays(flat, [], { temperature: 1, topP: 0.9 }, 3)).toMatchObject({ shortened: 0 });
    const everything = [...flat.keys()];
    expect(await allWays(flat, everything, { repetitionPenalty: 2 }, 3)).toMatchObject({ shortened: 0 });
    const first = { tokenId: 0 };
    expect(await allWays(flat, [], {}, 3)).toMatchObject({ shortened: 3, found: [first, first, first] });
  });

  test('refuses logits that are not finite, as the sampler does', async () => {
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const logits = draw(1, 0);
      logits[17] = wrong;
      for (const way of [0, 1]) await expect(onDevice(way, logits, { count: 1 })).rejects.toThrow(DeviceError);
      expect(() => shortlistOf(logits, { count: 1 })).toThrow(DeviceError);
      expect(() => createSampler({}, seededRandom(0)).sample(logits, [])).toThrow('not finite numbers');
    }
  });

  test('is not given for logits of several positions', async () => {
    const [runtime, shortlister] = [runtimes[0] as Runtime, shortlisters[0] as Shortlister];
    using two = runtime.upload({
      dataType: 'float32',
      shape: [1, 2, VOCABULARY],
      data: new Float32Array(2 * VOCABULARY),
    });
    expect(await shortlister.of(two, { count: 1 })).toBeUndefined();
  });
});
