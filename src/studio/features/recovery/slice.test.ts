import { expect, it } from 'vitest';
import { createStore } from 'zustand/vanilla';
import type { Plan } from '../../../plan/plan.ts';
import { bestPoint, createRecoverySlice, lossPoints } from './slice.ts';

const step = (number: number, loss: number | undefined, heldOutLoss: number | undefined) => ({
  ...({ stage: 'recovery', unit: 'steps', completed: number, total: 4, step: number, steps: 4 } as const),
  ...{ loss, heldOutLoss, heldOutBefore: 3, learningRate: 0.1, tokensPerSecond: 1, secondsLeft: 1 },
});

it('makes one point of a step that is told twice, and finds the best', () => {
  const points = lossPoints([
    step(0, undefined, 3),
    step(1, 2.5, undefined),
    step(2, 2.4, undefined),
    step(2, undefined, 2.2),
    step(3, 2.3, 2.2),
  ]);
  expect(points).toEqual([
    { step: 0, loss: undefined, heldOutLoss: 3 },
    { step: 1, loss: 2.5, heldOutLoss: undefined },
    { step: 2, loss: 2.4, heldOutLoss: 2.2 },
    { step: 3, loss: 2.3, heldOutLoss: 2.2 },
  ]);
  expect(bestPoint(points)?.step).toBe(2);
  expect(bestPoint([])).toBeUndefined();
});

it('takes steps only while a run goes', () => {
  const store = createStore(createRecoverySlice);
  store.getState().addRecoveryStep(step(1, 2, undefined));
  expect(store.getState().recoveryRun).toBeUndefined();
  const run = { of: '20% removed', plan: {} as Plan, method: 'lora', steps: 4, earlier: [], progress: [] } as const;
  store.getState().setRecoveryRun({ ...run, state: { status: 'running' } });
  store.getState().addRecoveryStep(step(1, 2, undefined));
  expect(store.getState().recoveryRun?.progress).toHaveLength(1);
  store.getState().setRecoveryRun({ ...run, state: { status: 'stopped' } });
  store.getState().addRecoveryStep(step(2, 2, undefined));
  expect(store.getState().recoveryRun?.progress).toHaveLength(0);
});
