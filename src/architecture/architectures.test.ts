import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { modelOf } from './model.ts';
import { computeAll } from './testing/compute.ts';
import { FIXTURES, openFixture, relativeDifference } from './testing/fixture.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const TOLERANCE = 2e-5;
const ROUNDING = 1e-7;

const largest = (values: ArrayLike<number>) => Math.max(...Array.from(values, Math.abs));

describe.each(FIXTURES)('%s', (name) => {
  test('logits, losses and gradients are those of PyTorch', async () => {
    const fixture = await openFixture(name);
    const { architecture } = modelOf(fixture.checkpoint);
    const { logits, losses, gradients } = await computeAll(runtime, fixture.checkpoint, fixture.windows);
    const expect_ = async (tensor: string, found: ArrayLike<number>, rows?: { start: number; end: number }) => {
      const expected = await fixture.expected.read(tensor, rows);
      // Without rotation a bias of the keys adds the same to all products of a query: its gradient is zero but for rounding.
      const isZero = largest(expected) < ROUNDING;
      if (isZero) expect(largest(found), tensor).toBeLessThan(ROUNDING);
      else expect(relativeDifference(found, expected), tensor).toBeLessThan(TOLERANCE);
    };
    await expect_('logits', logits);
    await expect_('losses', losses);
    for (let layer = 0; layer < architecture.config.layers; layer++)
      await expect_(`hidden.${layer}`, gradients.get(`hidden.${layer}`) ?? []);
    await expect_('hidden.final', gradients.get('hidden.final') ?? []);
    const checked = new Set<string>();
    for (const { input, tensor, rows } of architecture.blockWeights(1)) {
      if (!fixture.checkpoint.tensors.has(tensor) || input === 'mlp.selection') continue;
      checked.add(tensor);
      await expect_(tensor, gradients.get(`1/${input}`) ?? [], rows);
    }
    // Every tensor of the block that PyTorch has, we have.
    expect([...checked].sort()).toEqual(
      [...fixture.expected.tensors.keys()].filter((tensor) => tensor.startsWith('model.layers.1.')).sort(),
    );
  });

  test('reads the config that transformers writes as it reads the published one', async () => {
    const { checkpoint, savedConfig } = await openFixture(name);
    const published = modelOf(checkpoint).architecture;
    const saved = modelOf({ ...checkpoint, config: savedConfig }).architecture;
    expect(saved.config).toEqual(published.config);
    expect(saved.design).toEqual(published.design);
    for (let layer = 0; layer < published.config.layers; layer++) {
      expect(saved.positions(layer)).toEqual(published.positions(layer));
      expect(saved.blockWeights(layer)).toEqual(published.blockWeights(layer));
    }
  });

  test('leaves nothing on the device', async () => {
    const { checkpoint, windows } = await openFixture(name);
    const before = runtime.statistics().liveTensors;
    await computeAll(runtime, checkpoint, windows);
    expect(runtime.statistics().liveTensors).toBe(before);
  });
});
