import { expect, test } from 'vitest';
import { openFixture } from '../architecture/testing/fixture.ts';
import { overlayCheckpoint } from '../checkpoint/overlay.ts';
import { UnsupportedError } from '../errors.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { evaluate } from './evaluate.ts';
import { openModel } from './open.ts';

test('a model with tensors that nobody reads is opened without them where it is asked for, and computes the same', async () => {
  const { checkpoint, windows } = await openFixture('llama');
  using runtime = await createNodeRuntime({ threads: 1 });
  const extra = { shape: [32], data: new Float32Array(32).fill(5) };
  const more = overlayCheckpoint(checkpoint, new Map([['model.layers.0.self_attn.q_norm.weight', extra]]));
  await expect(openModel(more, { runtime })).rejects.toThrow(UnsupportedError);
  using plain = await openModel(checkpoint, { runtime });
  using without = await openModel(more, { runtime, ignoreTensors: true });
  expect([...without.model.checkpoint.tensors.keys()]).toEqual([...checkpoint.tensors.keys()]);
  expect((await evaluate(without, { windows })).loss).toBe((await evaluate(plain, { windows })).loss);
});
