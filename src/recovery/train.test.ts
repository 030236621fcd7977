import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFixture } from '../architecture/testing/fixture.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { CancelledError, FileFormatError, MismatchError } from '../errors.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { adaptedModel, randomWindows } from './testing/adapted.ts';
import { type RecoveryCheckpoint, type RecoveryProgress, type Training, train } from './train.ts';
import { adapterParameters, meanLoss } from './training-step.ts';
import { holdOut, trainingBatch, windowsOfStep, windowsOfTraining } from './training-windows.ts';

let runtime: Runtime;
let checkpoint: Checkpoint;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
  ({ checkpoint } = await openFixture('llama'));
});
afterAll(() => runtime.dispose());

const windows = randomWindows(7, 48);
const heldOut = randomWindows(3, 48, 9);

const TRAINING: Training = {
  windows,
  heldOut,
  steps: 8,
  warmupSteps: 2,
  batchWindows: 4,
  windowsPerRun: 3,
  learningRate: 0.02,
  weightDecay: 0.01,
  dropout: 0.1,
  maxGradientNorm: 1,
  seed: 4,
  evaluateEvery: 2,
  patience: Number.POSITIVE_INFINITY,
  heldOutBefore: async () => 3.5,
  fingerprint: 'a training',
};

async function trained(changes: Partial<Training> = {}, groupSteps = false) {
  using setup = await adaptedModel(runtime, checkpoint, { method: 'group-wise', groupSteps });
  const result = await train(setup.model, { ...TRAINING, ...changes });
  const loss = await meanLoss(setup.model, [trainingBatch(heldOut)]);
  return { ...result, adapters: adapterParameters(setup.adapters).map((values) => values.slice()), loss };
}

function memory(): RecoveryCheckpoint & { bytes: Uint8Array | undefined; writes: number } {
  const kept = {
    bytes: undefined as Uint8Array | undefined,
    writes: 0,
    read: async () => kept.bytes,
    write: async (bytes: Uint8Array) => {
      kept.bytes = bytes;
      kept.writes += 1;
    },
  };
  return kept;
}

const losses = ({ history }: Pick<Awaited<ReturnType<typeof trained>>, 'history'>) =>
  history.map(({ step, loss, heldOutLoss }) => [step, loss, heldOutLoss]);

describe('training', () => {
  test('lowers the held-out loss of what it is trained on, and the same seed gives the same losses and adapters bit for bit', async () => {
    const options = { heldOut: windows, steps: 12, dropout: 0.05 };
    const [first, second] = [await trained(options), await trained(options)];
    expect(first.history[0]).toMatchObject({ step: 0, learningRate: 0 });
    expect(first.best.loss).toBeLessThan((first.history[0]?.heldOutLoss ?? 0) - 0.2);
    expect(losses(second)).toEqual(losses(first));
    expect(second.adapters).toEqual(first.adapters);
    const other = await trained({ ...options, seed: 5 });
    expect(losses(other)[1]?.[1]).not.toBe(losses(first)[1]?.[1]);
  });

  test.each([
    { when: 'in the middle of a step', stopAt: 3, every: 1, groupSteps: false },
    { when: 'between two writes', stopAt: 5, every: 2, groupSteps: true },
  ])(
    'goes on from a checkpoint exactly, stopped $when; trained steps: $groupSteps',
    async ({ stopAt, every, groupSteps }) => {
      const whole = await trained({}, groupSteps);
      const kept = memory();
      const controller = new AbortController();
      const onProgress = ({ step }: RecoveryProgress) => {
        if (step === stopAt) queueMicrotask(() => controller.abort());
      };
      const stopped = await trained(
        { checkpoint: { ...kept, every }, signal: controller.signal, onProgress },
        groupSteps,
      );
      expect(stopped.stoppedBecause).toBe('cancelled');
      expect(stopped.history.length).toBeLessThan(whole.history.length);
      const resumed = await trained({ checkpoint: kept }, groupSteps);
      expect(resumed.stoppedBecause).toBe('finished');
      expect(losses(resumed)).toEqual(losses(whole));
      expect(resumed.adapters).toEqual(whole.adapters);
      expect(resumed.heldOutBefore).toBe(3.5);
      // A finished training is read back, and nothing is trained again.
      const again = await trained({ checkpoint: kept }, groupSteps);
      expect(losses(again)).toEqual(losses(whole));
      expect(again.adapters).toEqual(whole.adapters);
    },
  );

  test('refuses the checkpoint of another training, and bytes that are none', async () => {
    const kept = memory();
    await trained({ steps: 1, warmupSteps: 0, checkpoint: kept });
    await expect(trained({ checkpoint: kept, fingerprint: 'another' })).rejects.toThrow(MismatchError);
    kept.bytes = new Uint8Array(40).fill(7);
    await expect(trained({ checkpoint: kept })).rejects.toThrow(FileFormatError);
  });

  test('stops when it no longer gets better, and leaves the best adapters', async () => {
    // Far too fast: the first measurements are the best.
    const result = await trained({ steps: 40, learningRate: 3, warmupSteps: 0, evaluateEvery: 1, patience: 2 });
    expect(result.stoppedBecause).toBe('no longer better');
    expect(result.history.length).toBeLessThan(20);
    const measured = result.history.map(({ heldOutLoss }) => heldOutLoss ?? Number.POSITIVE_INFINITY);
    expect(result.best.loss).toBe(Math.min(...measured));
    expect(result.loss).toBeCloseTo(result.best.loss, 5);
  });

  test('cancelled, it keeps the best so far; before the first measurement it throws', async () => {
    const controller = new AbortController();
    const result = await trained({
      signal: controller.signal,
      onProgress: ({ step }) => step === 4 && controller.abort(),
    });
    expect(result.stoppedBecause).toBe('cancelled');
    expect(result.history.at(-1)?.step).toBe(4);
    expect(result.loss).toBeCloseTo(result.best.loss, 5);
    await expect(trained({ signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
  });

  test('tells of every step once or when it is measured, in order, and ends complete', async () => {
    const events: RecoveryProgress[] = [];
    const { heldOutBefore } = await trained({ onProgress: (progress) => events.push(progress) });
    expect(new Set(events.map((event) => event.heldOutBefore))).toEqual(new Set([heldOutBefore]));
    expect(events.map(({ completed }) => completed)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(new Set(events.map(({ stage, total, unit }) => `${stage} ${total} ${unit}`))).toEqual(
      new Set(['recovery 8 steps']),
    );
    expect(events.filter(({ heldOutLoss }) => heldOutLoss !== undefined).map(({ step }) => step)).toEqual([
      0, 2, 4, 6, 8,
    ]);
    expect(events.at(-1)?.secondsLeft).toBe(0);
    expect(events.at(-1)?.tokensPerSecond).toBeGreaterThan(0);
  });
});

describe('windows', () => {
  test('every epoch has every window once, and steps go on over its end', () => {
    const order = Array.from({ length: 7 }, (_, step) => windowsOfStep(step, 3, 7, 1)).flat();
    for (const epoch of [0, 1, 2]) expect(order.slice(7 * epoch, 7 * epoch + 7).sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(order.slice(0, 7)).not.toEqual(order.slice(7, 14));
    expect(windowsOfStep(0, 3, 7, 2)).not.toEqual(windowsOfStep(0, 3, 7, 1));
  });

  test('a training learns from the windows of its steps and no others', () => {
    for (const [steps, batch, count] of [
      [2, 3, 40],
      [4, 3, 12],
      [5, 3, 12],
      [1, 1, 1],
    ] as const) {
      const stepwise = Array.from({ length: steps }, (_, step) => windowsOfStep(step, batch, count, 5)).flat();
      expect(windowsOfTraining(steps, batch, count, 5)).toEqual([...new Set(stepwise)].sort((a, b) => a - b));
    }
  });

  test('holding out takes its share by seed and never everything', () => {
    const items = Array.from({ length: 40 }, (_, index) => index);
    const { trained: kept, heldOut: out } = holdOut(items, 0.1, 64, 3);
    expect(out).toHaveLength(4);
    expect([...kept, ...out].sort((a, b) => a - b)).toEqual(items);
    expect(holdOut(items, 0.9, 5, 3).heldOut).toHaveLength(5);
    expect(holdOut([1, 2], 0.99, 64, 3).trained).toHaveLength(1);
    expect(() => holdOut([1], 0.1, 64, 3)).toThrow(/1 training window; at least 2/);
  });
});
