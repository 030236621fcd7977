import { describe, expect, it } from 'vitest';
import { CancelledError } from '../../errors.ts';
import type { Progress } from '../../progress.ts';
import { createRandom } from '../../random.ts';
import { type Contestant, compareSpeeds, type SpeedSoFar } from './speed.ts';

/** A machine with a clock of its own: load that drifts, stretches in which another program runs, and single pauses. */
function machine(seed: number, tick = 0) {
  const random = createRandom(seed);
  let [time, load, others] = [0, 0.5 * random.normal(), 0];
  const work = (milliseconds: number) => {
    load = 0.98 * load + 0.05 * random.normal();
    others = others > 0 ? others - 1 : random.uniform() < 0.005 ? random.integer(60) : 0;
    const pause = random.uniform() < 0.03 ? 1 + 5 * random.uniform() : 1;
    time += milliseconds * Math.exp(load + 0.1 * random.normal()) * (others > 0 ? 1 + 2 * random.uniform() : 1) * pause;
  };
  return { work, now: () => (tick > 0 ? Math.floor(time / tick) * tick : time) };
}

function model(work: (milliseconds: number) => void, perToken: number, appended: string[] = []): Contestant {
  return {
    bytes: perToken,
    start: () => ({
      async next(tokenIds) {
        appended.push(`${perToken}x${tokenIds.length}`);
        work(tokenIds.length === 1 ? perToken : 0.2 * perToken * tokenIds.length);
        return 3;
      },
      [Symbol.dispose]: () => undefined,
    }),
  };
}

const PROMPT = Array.from({ length: 64 }, (_, index) => index);
const REQUEST = { promptTokens: 64, newTokens: 16, seconds: 20 };

function measure(seed: number, perToken: number, options: { tick?: number; request?: typeof REQUEST } = {}) {
  const { work, now } = machine(seed, options.tick);
  return compareSpeeds(
    { dense: model(work, 2), pruned: model(work, perToken) },
    PROMPT,
    options.request ?? REQUEST,
    {},
    now,
  );
}

describe('compareSpeeds', () => {
  it('holds the true ratio in 99 of 100 loads, and any two loads overlap', async () => {
    for (const perToken of [2, 1.6]) {
      const loads = await Promise.all(Array.from({ length: 200 }, (_, seed) => measure(seed, perToken)));
      for (const what of ['decode', 'prefill'] as const) {
        const holding = loads.filter(({ [what]: { low, high } }) => low <= 2 / perToken && 2 / perToken <= high);
        expect(holding.length).toBeGreaterThanOrEqual(194);
        const overlapping = loads.slice(1).filter((load, index) => {
          const before = loads[index]?.[what];
          return before && load[what].low <= before.high && before.low <= load[what].high;
        });
        expect(overlapping.length).toBeGreaterThanOrEqual(197);
      }
    }
  });

  it('tells a difference of a quarter, and no difference where there is none', async () => {
    const [faster, same] = [await measure(1, 1.6), await measure(1, 2)];
    expect(faster.decode.low).toBeGreaterThan(1);
    expect(faster.decode.high / faster.decode.low).toBeLessThan(1.13);
    expect(same.decode.low).toBeLessThan(1);
    expect(same.decode.high).toBeGreaterThan(1);
    expect(same.decode.high / same.decode.low).toBeLessThan(1.08);
    // What loads differ by is in every interval, however quiet the rounds of one load are.
    expect(same.decode.high / same.decode.low).toBeGreaterThan(1.06);
    expect(faster.seconds).toBeLessThan(20);
  });

  it('is not misled by a clock that ticks in whole milliseconds', async () => {
    const { decode } = await measure(3, 1.6, { tick: 1 });
    expect(decode.low).toBeLessThan(1.25);
    expect(decode.high).toBeGreaterThan(1.25);
  });

  it('keeps to its time on a slow device, with fewer tokens but an interval still', async () => {
    const { work, now } = machine(5);
    const slow = (perToken: number) => model(work, perToken);
    const measured = await compareSpeeds({ dense: slow(200), pruned: slow(150) }, PROMPT, REQUEST, {}, now);
    expect(measured.seconds).toBeLessThan(30);
    expect(measured.promptTokens).toBeLessThan(64);
    expect(measured.rounds).toBeGreaterThanOrEqual(8);
    expect(measured.decode.high).toBeLessThan(Number.POSITIVE_INFINITY);
  });

  it('tells what is known so far from the third round on, with the interval that so few give', async () => {
    const { work, now } = machine(7);
    const told: SpeedSoFar[] = [];
    const options = { onEstimate: (soFar: SpeedSoFar) => void told.push(soFar) };
    const result = await compareSpeeds(
      { dense: model(work, 2), pruned: model(work, 1.6) },
      PROMPT,
      REQUEST,
      options,
      now,
    );
    expect(told.map(({ rounds }) => rounds)).toEqual(
      Array.from({ length: result.rounds - 2 }, (_, index) => index + 3),
    );
    expect(told.slice(0, 3).map(({ confidence }) => confidence)).toEqual([0.75, 0.875, 0.9375]);
    for (const { decode } of told) {
      expect(decode.low).toBeLessThanOrEqual(decode.value);
      expect(decode.high).toBeLessThan(Number.POSITIVE_INFINITY);
    }
    expect(told.at(-1)).toMatchObject({ decode: result.decode, prefill: result.prefill, confidence: 0.99 });
  });

  it('decodes token by token in turn, and lets each begin every other time', async () => {
    const { work, now } = machine(1);
    const appended: string[] = [];
    await compareSpeeds(
      { dense: model(work, 2, appended), pruned: model(work, 1, appended) },
      PROMPT,
      { ...REQUEST, newTokens: 2 },
      {},
      now,
    );
    const afterWarmUp = appended.slice(10, 22);
    const [dense, pruned] = [
      ['2x64', '2x1'],
      ['1x64', '1x1'],
    ] as const;
    expect(afterWarmUp).toEqual([
      ...[dense[0], pruned[0], dense[1], pruned[1], pruned[1], dense[1]],
      ...[pruned[0], dense[0], pruned[1], dense[1], dense[1], pruned[1]],
    ]);
  });

  it('tells its progress by stages that end whole, and stops when it is asked to', async () => {
    const { work, now } = machine(1);
    const events: Progress[] = [];
    const contestants = { dense: model(work, 2), pruned: model(work, 1.6) };
    await compareSpeeds(contestants, PROMPT, REQUEST, { onProgress: (event) => events.push(event) }, now);
    for (const stage of ['warming up', 'speed']) {
      const own = events.filter((event) => event.stage === stage);
      expect(new Set(own.map(({ total }) => total)).size).toBe(1);
      expect(own.map(({ completed }) => completed)).toEqual(
        own.map(({ completed }) => completed).sort((a, b) => a - b),
      );
      expect(own.at(-1)?.completed).toBe(own.at(-1)?.total);
      expect(own.filter(({ completed, total }) => completed === total)).toHaveLength(1);
    }
    const controller = new AbortController();
    const stopped = compareSpeeds(
      contestants,
      PROMPT,
      REQUEST,
      { signal: controller.signal, onProgress: ({ stage }) => stage === 'speed' && controller.abort() },
      now,
    );
    await expect(stopped).rejects.toBeInstanceOf(CancelledError);
  });
});
