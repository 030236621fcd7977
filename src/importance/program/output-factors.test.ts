import { expect, test } from 'vitest';
import { forwardBlocks } from '../../architecture/forward.ts';
import { singleOutput } from '../../architecture/programs.ts';
import { randomLlama } from '../../export/testing/random-llama.ts';
import { OpenModel } from '../../library/open-model.ts';
import { extract } from '../../passes/extract.ts';
import { seededRandom } from '../../random.ts';
import { createNodeRuntime } from '../../runtime/node.ts';
import { outputFactors, type ProjectionFactors } from './output-factors.ts';
import { headGradients } from './score-head.ts';

/** Sums over rows of r r^T, by the definition. */
function outer(rows: Float32Array, width: number): number[] {
  const result = new Array<number>(width * width).fill(0);
  for (let start = 0; start < rows.length; start += width)
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++)
        result[i * width + j] = (result[i * width + j] ?? 0) + (rows[start + i] ?? 0) * (rows[start + j] ?? 0);
  return result;
}

function close(found: Float64Array | undefined, wanted: readonly number[]) {
  const largest = Math.max(...wanted.map(Math.abs));
  expect(found?.length).toBe(wanted.length);
  for (const [index, value] of wanted.entries())
    expect(Math.abs((found?.[index] ?? Number.NaN) - value), `${index}`).toBeLessThan(1e-5 * largest);
}

test("factors are the inputs' products, and those of the gradients that leave a layer; none stays on the device", async () => {
  const runtime = await createNodeRuntime({ threads: 1 });
  const open = new OpenModel(runtime, randomLlama({ layers: 2 }));
  const random = seededRandom(9);
  const windows = Array.from({ length: 3 }, () => Int32Array.from({ length: 12 }, () => Math.floor(random() * 64)));
  const objective = { kind: 'model', draws: 2, seed: 4 } as const;
  const byLayer = new Map<number, readonly ProjectionFactors[]>();
  const compute = () =>
    outputFactors(open.programs, open.store, windows, {
      objective,
      structuresOf: open.structuresOf,
      onLayer: (layer, factors) => void byLayer.set(layer, factors),
    });
  await compute();
  // Weights of a small model, and positions, stay.
  const before = runtime.statistics().liveTensors;
  await compute();
  expect(runtime.statistics().liveTensors).toBe(before);
  expect([...byLayer.keys()]).toEqual([1, 0]);
  const down = byLayer.get(1)?.find(({ projection }) => projection.weight === 'mlp.down');

  // What leaves the last layer's down projection is added to the residual stream, so its gradient is that of the head.
  const states = await forwardBlocks(open.programs, open.store, [windows]);
  const head = await headGradients(open.programs, open.store, [windows], states, { objective });
  const width = open.config.hiddenSize;
  const drawn = await Promise.all(head.batches.map((each) => runtime.read(each)));
  const [first = [], second = []] = drawn.map(({ data }) => outer(data as Float32Array, width));
  close(
    down?.gradients,
    first.map((value, index) => value + (second[index] ?? 0)),
  );

  const block = open.programs.architecture.block();
  const input = down?.projection.input ?? '';
  const session = await runtime.createSession(
    extract(block, [{ name: input, dataType: 'float32', shape: ['rows', 'channels'] }], 'input of down'),
  );
  const [entering] = await forwardBlocks(open.programs, open.store, [windows], { layers: 1 });
  using weights = await open.store.lease(1);
  const { cosine, sine, mask } = open.programs.positions(12, 1);
  if (!entering) throw new Error('no states');
  const feeds = { ...weights.tensors, hidden: entering, cosine, sine, mask };
  const named = Object.fromEntries(session.inputNames.map((name) => [name, singleOutput(feeds, name)]));
  using inputs = singleOutput(await session.run(named), input);
  // The states are summed once for each draw.
  close(
    down?.products,
    outer((await runtime.read(inputs)).data as Float32Array, open.config.neurons).map((value) => 2 * value),
  );
  for (const tensor of [...states, ...head.batches, entering]) tensor.dispose();
  inputs.dispose();
  session.dispose();
  expect(byLayer.get(0)?.map(({ projection }) => projection.weight)).toEqual(['attention.output', 'mlp.down']);
  weights.dispose();
  open.dispose();
  runtime.dispose();
});
