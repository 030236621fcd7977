import { expect, it } from 'vitest';
import { memoryFolder } from '../export/memory-folder.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { evaluate, openModel, plan, prune, score } from '../index.ts';

const windows = Array.from({ length: 4 }, (_, window) =>
  Int32Array.from({ length: 24 }, (_, token) => (token * 5 + window * 11) % 64),
);

it('opens, scores, plans, prunes, verifies and evaluates as a library', async () => {
  using model = await openModel(randomLlama({ layers: 3, neurons: 64 }), { threads: 1 });
  const run = await score(model, { windows, calibration: { source: 'drawn', sha256: '0'.repeat(64), seed: 0 } });
  const chosen = plan(run.scores, { target: { kind: 'ratio', value: 0.3 } });
  const output = memoryFolder();
  const { pruned, exported } = await prune(model, { plan: chosen, output, windows });
  expect(exported?.verification.top1Agreement).toBe(1);
  expect([...output.files.keys()]).toContain('onnx/model.onnx');
  const [dense, smaller] = [await evaluate(model, { windows }), await evaluate(pruned, { windows })];
  pruned.dispose();
  expect(smaller.tokens).toBe(dense.tokens);
  expect(exported?.parametersAfter).toBe(chosen.parametersAfter);
});

it('frees its own runtime with the model', async () => {
  const model = await openModel(randomLlama(), { threads: 1 });
  const { runtime } = model;
  await evaluate(model, { windows });
  model.dispose();
  // Weights that may still be loading are freed as soon as they are there.
  await new Promise((resolve) => setTimeout(resolve));
  expect(runtime.statistics().liveTensors).toBe(0);
  expect(() => runtime.allocate('float32', [1])).toThrow();
});

it('says what a model can be when a name means nothing', async () => {
  await expect(openModel('no such thing')).rejects.toThrow(/no folder or file here.*hub id/s);
});

it('exports nothing where nothing is removed, unless it is told to', async () => {
  using model = await openModel(randomLlama({ layers: 2, neurons: 16 }), { threads: 1 });
  const { scores } = await score(model, { windows, calibration: { source: 'drawn', sha256: '0'.repeat(64), seed: 0 } });
  const whole = plan(scores, { target: { kind: 'ratio', value: 0.0001 } });
  expect(whole.parametersAfter).toBe(whole.parametersBefore);
  const output = memoryFolder();
  await expect(prune(model, { plan: whole, output, windows })).rejects.toThrow('The plan removes nothing');
  expect(output.files.size).toBe(0);
  const { pruned, exported } = await prune(model, { plan: whole, output, windows, force: true });
  pruned.dispose();
  expect(exported.parametersAfter).toBe(whole.parametersBefore);
});
