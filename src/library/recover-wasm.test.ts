import { expect, test } from 'vitest';
import { randomLlama } from '../export/testing/random-llama.ts';
import { randomWindows } from '../recovery/testing/adapted.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { createWebRuntime } from '../runtime/web.ts';
import { OpenModel } from './open-model.ts';
import { recover } from './recover.ts';

test('WebAssembly trains as the CPU does', async () => {
  const losses: number[][] = [];
  for (const create of [
    () => createNodeRuntime({ threads: 1 }),
    () => createWebRuntime({ backend: 'wasm', threads: 1 }),
  ]) {
    using runtime = await create();
    using open = new OpenModel(runtime, randomLlama({ hiddenSize: 64, neurons: 48, headDimension: 16 }));
    const { model, history } = await recover(open, {
      method: 'group-wise',
      groupSteps: true,
      steps: 3,
      learningRate: 0.02,
      examples: randomWindows(6, 64),
    });
    model.dispose();
    losses.push(history.map(({ loss, heldOutLoss }) => loss ?? heldOutLoss ?? Number.NaN));
  }
  const [cpu = [], wasm = []] = losses;
  expect(cpu).toHaveLength(4);
  expect(cpu.at(-1)).toBeLessThan((cpu[0] ?? 0) - 1);
  for (const [step, loss] of cpu.entries()) expect(Math.abs((wasm[step] ?? Number.NaN) - loss)).toBeLessThan(1e-4);
});
