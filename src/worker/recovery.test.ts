import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { diskFolder } from '../checkpoint/disk.ts';
import { openCheckpoint } from '../checkpoint/folder.ts';
import { MissingError, UsageError } from '../errors.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { makePlan } from '../saap/make-plan.ts';
import { decodeScores } from '../saap/score-file.ts';
import type { Plan } from '../surgery/plan.ts';
import type { Engine, RecoverRequest } from './engine.ts';
import { createStudioEngine } from './studio-engine.ts';

const text = 'Once upon a time there was a little tree. It grew in a garden by the wall. One day the gardener came with his knife. '.repeat(12);
const REQUEST: RecoverRequest = { text, length: 16, method: 'lora', bits: 4, steps: 4, batchWindows: 4, learningRate: 5e-3, seed: 0 };
const none = async () => {
  throw new UsageError('There is no hub in this test.');
};

let runtime: Runtime;
let engine: Engine;
let plan: Plan;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 2 });
  engine = createStudioEngine({
    support: async () => ({ available: false, reason: 'No browser.', adapter: undefined, checks: [] }),
    createRuntime: async () => runtime,
    open: async () => openCheckpoint(await diskFolder('public/models/stories'), { name: 'stories' }),
    ...{ offer: none, stored: async () => [], forget: none },
  });
  await engine.backend('auto');
  await engine.openModel({ kind: 'embedded', id: 'stories' });
  const scores = await decodeScores(new Uint8Array(await readFile('public/models/stories/scores.safetensors')));
  plan = makePlan(scores, { target: { kind: 'ratio', value: 0.3 } });
});
afterAll(() => runtime.dispose());

it('recovers a pruned model, tells every step, and measures, writes and hands out the result', async () => {
  const steps: number[] = [];
  const recovery = await engine.recover(plan, REQUEST, { onStep: ({ step }) => steps.push(step) });
  expect(recovery.heldOutAfter).toBeLessThan(recovery.heldOutBefore);
  expect(new Set(steps)).toEqual(new Set([0, 1, 2, 3, 4]));
  const repair = { recovered: recovery.recovered };
  const request = { text, windows: 2, length: 16 };
  const before = await engine.evaluate(plan, request);
  const after = await engine.evaluate(plan, { ...request, repair });
  expect(after.perplexity).toBeLessThan(before.perplexity);
  const written = await engine.generate(plan, { prompt: 'Once upon', maxNewTokens: 3, temperature: 0, seed: 0, chat: false, repair });
  expect(written.tokenIds).toHaveLength(3);
  const { name, verification } = await engine.export(plan, { dtype: 'f32', text, repair });
  expect(name).toBe('stories-recovered-30');
  expect(verification.top1Agreement).toBeGreaterThan(0.9);
});

it('keeps the best when it is cancelled, in place of the model before', async () => {
  const controller = new AbortController();
  const recovery = await engine.recover(
    plan,
    { ...REQUEST, method: 'group-wise', steps: 50 },
    { signal: controller.signal, onStep: ({ step }) => step === 1 && controller.abort() },
  );
  expect(recovery).toMatchObject({ stoppedBecause: 'cancelled' });
  expect(recovery.steps).toBeLessThan(5);
  const request = { text, windows: 1, length: 16 };
  expect((await engine.evaluate(plan, { ...request, repair: { recovered: recovery.recovered } })).tokens).toBe(15);
  await expect(engine.evaluate(plan, { ...request, repair: { recovered: recovery.recovered - 1 } })).rejects.toBeInstanceOf(MissingError);
});
