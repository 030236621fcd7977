import { afterAll, beforeAll, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { Programs } from '../architecture/programs.ts';
import { openFixture } from '../architecture/testing/fixture.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import { overlayCheckpoint } from '../checkpoint/overlay.ts';
import { DeviceError } from '../errors.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import { OpenModel } from '../library/open-model.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { importance } from './importance.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

/** The LLaMA fixture with the weights of one tensor multiplied: finite, but too large to compute with. */
async function exploding(tensor: string, factor: number) {
  const { checkpoint, windows } = await openFixture('llama');
  const { shape = [] } = checkpoint.tensors.get(tensor) ?? {};
  const data = (await checkpoint.read(tensor)).map((value) => value * factor);
  return { checkpoint: overlayCheckpoint(checkpoint, new Map([[tensor, { shape, data }]])), windows };
}

const DOWN = 'model.layers.1.mlp.down_proj.weight';

test('a loss that is no number stops evaluation, with the layer that it comes from, and leaves nothing on the device', async () => {
  const { checkpoint, windows } = await exploding(DOWN, 1e38);
  const model = modelOf(checkpoint);
  const before = runtime.statistics().liveTensors;
  {
    using programs = new Programs(runtime, model.architecture);
    using store = new WeightStore(runtime, model);
    const failing = perplexity(programs, store, windows);
    await expect(failing).rejects.toThrow(DeviceError);
    await expect(failing).rejects.toThrow(
      /^The loss of a window cannot be told: the output of layer 1 is -?[\de.+]+ at token \d+, channel \d+\./,
    );
  }
  expect(runtime.statistics().liveTensors).toBe(before);
});

test('the same stops scoring', async () => {
  const { checkpoint, windows } = await exploding(DOWN, 1e38);
  using open = new OpenModel(runtime, checkpoint);
  await expect(importance(open.programs, open.store, windows, { structuresOf: open.structuresOf })).rejects.toThrow(
    /^The loss of a window cannot be told: the output of layer 1 is/,
  );
});

test('a score that is no number stops scoring at its layer', async () => {
  const { checkpoint, windows } = await exploding('model.norm.weight', 1e25);
  using open = new OpenModel(runtime, checkpoint);
  await expect(importance(open.programs, open.store, windows, { structuresOf: open.structuresOf })).rejects.toThrow(
    /^The score "[\w-]+" of layer 1 \((attention|mlp)\) is (NaN|Infinity) at group \d+, though weights and losses are finite/,
  );
});
