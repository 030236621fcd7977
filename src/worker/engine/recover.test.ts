import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { diskFolder } from '../../checkpoint/files/disk.ts';
import { openCheckpoint } from '../../checkpoint/folder.ts';
import { MissingError, UsageError } from '../../errors.ts';
import { decodeScores } from '../../importance/files/score-file.ts';
import { makePlan } from '../../plan/make-plan.ts';
import type { Plan } from '../../plan/plan.ts';
import { createNodeRuntime } from '../../runtime/node.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Engine, RecoverRequest, Recovery } from '../engine.ts';
import { createEngine } from '../engine.ts';
import type { KeptFile } from './kept-file.ts';
import { memoryFile } from './testing/memory-file.ts';

const text =
  'Once upon a time there was a little tree. It grew in a garden by the wall. One day the gardener came with his knife. '.repeat(
    12,
  );
const REQUEST: RecoverRequest = {
  text,
  length: 16,
  method: 'lora',
  bits: 4,
  steps: 4,
  batchWindows: 4,
  learningRate: 5e-3,
  seed: 0,
};
const none = async () => {
  throw new UsageError('There is no hub in this test.');
};

/** An engine as a freshly opened page has it. */
async function openStories(training: KeptFile): Promise<Engine> {
  const opened = createEngine({
    support: async () => ({ available: false, reason: 'No browser.', adapter: undefined, software: false, checks: [] }),
    createRuntime: async () => runtime,
    open: async () => openCheckpoint(await diskFolder('public/models/stories'), { name: 'stories' }),
    ...{ offer: none, stored: async () => [], forget: none, training },
  });
  await opened.backend('auto');
  await opened.openModel({ kind: 'embedded', id: 'stories' });
  return opened;
}

let runtime: Runtime;
let engine: Engine;
let plan: Plan;
const { file, kept } = memoryFile();
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 2 });
  engine = await openStories(file);
  const scores = await decodeScores(new Uint8Array(await readFile('public/models/stories/scores.safetensors')));
  plan = makePlan(scores, { target: { kind: 'ratio', value: 0.3 } });
});
afterAll(() => runtime.dispose());

it('recovers a pruned model, tells every step, and measures, writes and hands out the result', async () => {
  const steps: number[] = [];
  const recovery = await engine.recover(plan, REQUEST, { onStep: ({ step }) => steps.push(step) });
  expect(recovery.heldOutAfter).toBeLessThan(recovery.heldOutBefore);
  expect(new Set(steps)).toEqual(new Set([0, 1, 2, 3, 4]));
  expect(await engine.keptTraining(plan, REQUEST)).toMatchObject({ same: true, steps: 4, ratio: plan.ratio });
  const repair = { recovered: recovery.recovered };
  const request = { text, windows: 2, length: 16 };
  const before = await engine.evaluate(plan, request);
  const after = await engine.evaluate(plan, { ...request, repair });
  expect(after.perplexity).toBeLessThan(before.perplexity);
  const written = await engine.generate(plan, {
    prompt: 'Once upon',
    maxNewTokens: 3,
    temperature: 0,
    seed: 0,
    chat: false,
    repair,
  });
  expect(written.tokenIds).toHaveLength(3);
  const { name, verification } = await engine.export(plan, { dtype: 'f32', text, repair });
  expect(name).toBe('stories-recovered-30-f32');
  expect(verification.top1Agreement).toBeGreaterThan(0.9);
});

it('keeps the best when it is cancelled, in place of the model before', async () => {
  const controller = new AbortController();
  const long = { ...REQUEST, method: 'group-wise', steps: 50 } as const;
  const recovery = await engine.recover(plan, long, {
    stop: controller.signal,
    onStep: ({ step }) => step === 1 && controller.abort(),
  });
  expect(recovery).toMatchObject({ stoppedBecause: 'cancelled' });
  expect(recovery.steps).toBeLessThan(5);
  expect(await engine.keptTraining(plan, long)).toMatchObject({ same: true, steps: 50, ratio: plan.ratio });
  const request = { text, windows: 1, length: 16 };
  expect((await engine.evaluate(plan, { ...request, repair: { recovered: recovery.recovered } })).tokens).toBe(15);
  await expect(
    engine.evaluate(plan, { ...request, repair: { recovered: recovery.recovered - 1 } }),
  ).rejects.toBeInstanceOf(MissingError);
});

const losses = ({ history }: Pick<Recovery, 'history'>) =>
  history.map(({ step, loss, heldOutLoss }) => ({ step, loss, heldOutLoss }));

it('goes on after a reload to the same losses, and only as the same training', async () => {
  const whole = await engine.recover(plan, REQUEST);
  let closed: Uint8Array | undefined;
  await engine.recover(plan, REQUEST, {
    onStep: ({ step }) => {
      if (step === 3) closed ??= kept();
    },
  });

  const page = memoryFile(closed);
  const reloaded = await openStories(page.file);
  const found = await reloaded.keptTraining(plan, REQUEST);
  expect(found).toMatchObject({ same: true, method: 'lora', steps: 4, heldOutBefore: whole.heldOutBefore });
  const made = found?.records.length ?? 0;
  expect(found?.records.map(({ step }) => step)).toEqual([0, 1, 2].slice(0, made));
  expect(made).toBeGreaterThan(0);
  expect(await reloaded.keptTraining(plan, { ...REQUEST, seed: 1 })).toMatchObject({ same: false });

  const steps: number[] = [];
  const resumed = await reloaded.recover(
    plan,
    { ...REQUEST, resume: true },
    { onStep: ({ step }) => steps.push(step) },
  );
  expect(losses(resumed)).toEqual(losses(whole));
  expect(steps[0]).toBe(made - 1);
  expect((await reloaded.keptTraining(plan, REQUEST))?.records.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4]);
});

it('brings a finished training back after a reload without a step, and forgets it when asked', async () => {
  const whole = await engine.recover(plan, REQUEST);
  const request = { text, windows: 2, length: 16 };
  const { perplexity } = await engine.evaluate(plan, { ...request, repair: { recovered: whole.recovered } });

  const page = memoryFile(kept());
  const reloaded = await openStories(page.file);
  const steps: number[] = [];
  const back = await reloaded.recover(plan, { ...REQUEST, resume: true }, { onStep: ({ step }) => steps.push(step) });
  expect(steps).toEqual([4]);
  expect(back).toMatchObject({
    stoppedBecause: 'finished',
    bestStep: whole.bestStep,
    heldOutBefore: whole.heldOutBefore,
    trainedTokens: whole.trainedTokens,
  });
  expect(losses(back)).toEqual(losses(whole));
  expect((await reloaded.evaluate(plan, { ...request, repair: { recovered: back.recovered } })).perplexity).toBe(
    perplexity,
  );

  await reloaded.forgetTraining();
  expect(page.kept()).toBeUndefined();
  expect(await reloaded.keptTraining(plan, REQUEST)).toBeNull();
});

it('starts anew over what is kept of another training, and says so of what cannot be read', async () => {
  const controller = new AbortController();
  await engine.recover(
    plan,
    { ...REQUEST, steps: 50 },
    { stop: controller.signal, onStep: ({ step }) => step === 1 && controller.abort() },
  );
  const bytes = kept() ?? new Uint8Array();
  const torn = memoryFile(bytes.slice(0, -9));
  const reloaded = await openStories(torn.file);
  await expect(reloaded.recover(plan, { ...REQUEST, steps: 50, resume: true })).rejects.toThrow(
    /cannot be read.*start anew/,
  );
  expect(torn.kept()).toBeUndefined();
  const other = await engine.recover(plan, { ...REQUEST, steps: 1, resume: true });
  expect(other.history.map(({ step }) => step)).toEqual([0, 1]);
  const garbage = await openStories(memoryFile(Uint8Array.of(1, 2, 3)).file);
  expect(await garbage.keptTraining(plan, REQUEST)).toBeNull();
});
