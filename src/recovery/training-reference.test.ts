import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openFixture } from '../architecture/testing/fixture.ts';
import { diskSource } from '../checkpoint/files/disk.ts';
import { safetensorsWeights } from '../checkpoint/formats/safetensors/safetensors.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { adaptedModel } from './testing/adapted.ts';
import { train } from './train.ts';
import type { TrainingWindow } from './training-windows.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

interface Settings {
  readonly bits: number;
  readonly groupSize: number;
  readonly rank: number;
  readonly scale: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly warmupSteps: number;
  readonly steps: number;
  readonly maxGradientNorm: number;
  readonly windows: number;
}

/** scripts/fixtures/recovery.py: the same model, windows, initial adapters and schedule in PyTorch, in float64. */
test.each(['group-wise', 'lora'] as const)('20 steps of %s training lose and end as PyTorch does', async (method) => {
  const settings = JSON.parse(await readFile(fixture('settings.json'), 'utf8')) as Settings;
  const expected = await safetensorsWeights([await diskSource(fixture(`${method}.safetensors`))]);
  using setup = await adaptedModel(runtime, (await openFixture('llama')).checkpoint, { method, ...settings });
  const values = setup.adapters.flatMap((adapters, layer) =>
    [...adapters].flatMap(([weight, { down, up }]) => [
      { name: `${layer}.${weight}.down`, values: down },
      { name: `${layer}.${weight}.up`, values: up },
    ]),
  );
  for (const { name, values: own } of values) own.set(await expected.read(`start.${name}`));
  const windows: TrainingWindow[] = [];
  for (let index = 0; index < settings.windows; index++)
    windows.push({ tokens: await expected.read(`tokens.${index}`), learn: await expected.read(`learn.${index}`) });

  // All windows in every step, so that their order does not matter; three runs a step.
  const { history } = await train(setup.model, {
    ...settings,
    windows,
    heldOut: windows,
    batchWindows: windows.length,
    windowsPerRun: 2,
    dropout: 0,
    seed: 0,
    evaluateEvery: settings.steps,
    patience: Number.POSITIVE_INFINITY,
    heldOutBefore: async () => 0,
    fingerprint: 'parity',
  });
  const losses = history.slice(1).map(({ loss }) => loss ?? Number.NaN);
  const reference = await expected.read('losses');
  expect(losses).toHaveLength(20);
  for (const [step, loss] of losses.entries())
    expect(Math.abs(loss - (reference[step] ?? Number.NaN)), `step ${step}`).toBeLessThan(2e-4);
  for (const { name, values: own } of values) {
    const end = await expected.read(`end.${name}`);
    const largest = end.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const [index, value] of own.entries())
      expect(Math.abs(value - (end[index] ?? Number.NaN)), name).toBeLessThan(5e-3 * largest + 1e-4);
  }
});
