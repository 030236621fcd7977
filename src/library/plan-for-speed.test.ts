import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openNamed } from '../checkpoint/local.ts';
import { decodeScores } from '../importance/files/score-file.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { makePlan } from '../plan/make-plan.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { OpenModel } from './open-model.ts';
import { planForSpeed, searchSpeed } from './plan-for-speed.ts';

let runtime: Runtime;
let open: OpenModel;
let scores: Scores;
beforeAll(async () => {
  runtime = await createNodeRuntime({});
  open = new OpenModel(runtime, await openNamed('stories'));
  scores = await decodeScores(new Uint8Array(await readFile('public/models/stories/scores.safetensors')));
});
afterAll(() => {
  open.dispose();
  runtime.dispose();
});
const asked = (tokensPerSecond: number) => planForSpeed(open, scores, { plan: {}, tokensPerSecond, seconds: 0.2 });

/** A machine on which speed follows what is left, but the first plan that is made for a speed is slower than the curve says. */
function machine(slow: number) {
  let made = 0;
  return searchSpeed({
    tokensPerSecond: 60,
    planAt: (value) => makePlan(scores, { target: { kind: 'ratio', value } }),
    measure: async ({ ratio }) => {
      made += 1;
      const times = (1 + ratio) * (made > 3 && made <= 3 + slow ? 0.97 : 1);
      return { whole: 50, times, tokensPerSecond: 50 * times };
    },
  });
}

test('the plan removes what the curve asks for, and a little more where it falls short itself', async () => {
  const first = await machine(0);
  expect(first.plan.ratio).toBeCloseTo(0.2, 2);
  expect(first.curve).toHaveLength(4);
  const second = await machine(1);
  expect(second.plan.ratio).toBeCloseTo(0.25, 2);
  expect(second.curve.map(({ ratio }) => ratio)).toEqual(second.curve.map(({ ratio }) => ratio).sort((a, b) => a - b));
  expect(second.tokensPerSecond).toBe(50);
});

test('a speed that the whole model has is no target', async () => {
  await expect(asked(0.001)).rejects.toThrow(/The whole model writes [\d.]+ tokens per second here/);
});

test('a speed beyond what can be had is refused with what can', async () => {
  await expect(asked(1e9)).rejects.toThrow(/the fastest that was measured here, with \d+% removed/);
});
