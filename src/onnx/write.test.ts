import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { encode, GraphBuilder } from './builder.ts';
import { ExternalDataLayout } from './external-layout.ts';
import type { Graph, Initializer } from './graph.ts';
import { readModel } from './read.ts';
import { writeModel } from './write.ts';

const IN = 24;
const OUT = 16;

/** softmax(Gemm(x, W, bias, transB = 1)) for any number of rows, with the weight [OUT, IN] inside. */
function softmaxLayer(): Graph {
  const builder = new GraphBuilder('softmax-layer');
  const x = builder.input('x', 'float32', ['rows', IN]);
  const weight = builder.constant(WEIGHT, [OUT, IN]);
  const bias = builder.constant(BIAS, [OUT]);
  const logits = builder.add('Gemm', [x, weight, bias], { transB: 1 });
  builder.output(builder.add('Softmax', [logits], { axis: -1 }), 'float32', ['rows', OUT], 'probabilities');
  return builder.build({ purpose: 'test' });
}

const WEIGHT = Array.from({ length: OUT * IN }, (_, index) => Math.fround(Math.sin(index)));
const BIAS = Array.from({ length: OUT }, (_, index) => Math.fround(index / OUT));
const ROWS = Array.from({ length: 3 * IN }, (_, index) => Math.fround(Math.cos(3 * index)));

function expectedProbabilities(): number[] {
  return [0, 1, 2].flatMap((row) => {
    const logits = BIAS.map(
      (bias, out) =>
        bias +
        WEIGHT.slice(out * IN, (out + 1) * IN).reduce((sum, weight, i) => sum + weight * (ROWS[row * IN + i] ?? 0), 0),
    );
    const exponentials = logits.map(Math.exp);
    const total = exponentials.reduce((sum, value) => sum + value, 0);
    return exponentials.map((value) => value / total);
  });
}

async function expectProbabilities(session: InferenceSession): Promise<void> {
  const { probabilities } = await session.run({ x: new Tensor('float32', Float32Array.from(ROWS), [3, IN]) });
  if (!probabilities) throw new Error('The model has no output called probabilities.');
  expect(probabilities.dims).toEqual([3, OUT]);
  const expected = expectedProbabilities();
  (probabilities.data as Float32Array).forEach((value, index) => {
    expect(value).toBeCloseTo(expected[index] ?? Number.NaN, 6);
  });
  await session.release();
}

describe('a written model', () => {
  it('runs in ONNX Runtime with its weights inside', async () => {
    await expectProbabilities(await InferenceSession.create(writeModel(softmaxLayer())));
  });

  it('keeps symbolic sizes for the runtime to see', async () => {
    const session = await InferenceSession.create(writeModel(softmaxLayer()));
    expect(session.inputMetadata).toMatchObject([{ name: 'x', type: 'float32', shape: ['rows', IN] }]);
    expect(session.outputMetadata).toMatchObject([{ name: 'probabilities', shape: ['rows', OUT] }]);
    await session.release();
  });

  it('runs with its weights in an external data file', async () => {
    const graph = softmaxLayer();
    const layout = new ExternalDataLayout('model.onnx_data');
    const places = [...graph.initializers].map(([name, { dataType, shape, contents }]) => {
      if (contents.kind !== 'bytes') throw new Error(`${name} has no bytes.`);
      return { name, placed: layout.place(name, dataType, shape), bytes: contents.bytes };
    });
    expect(layout.tensors.map(({ offset, length }) => [offset, length])).toEqual([
      [0, 4 * OUT * IN],
      [4096, 4 * OUT],
    ]);
    const data = new Uint8Array(layout.byteLength);
    for (const [index, { offset }] of layout.tensors.entries()) data.set(places[index]?.bytes ?? [], offset);
    const outside = { ...graph, initializers: new Map(places.map(({ name, placed }) => [name, placed])) };
    expect(readModel(writeModel(outside))).toEqual(outside);
    const externalData = [{ path: 'model.onnx_data', data }];
    await expectProbabilities(await InferenceSession.create(writeModel(outside), { externalData }));
  });

  it('is understood alike by ONNX Runtime, which writes it anew: reading that gives the same model', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'espalier-write-'));
    try {
      const rewritten = join(folder, 'rewritten.onnx');
      const options = { graphOptimizationLevel: 'disabled', optimizedModelFilePath: rewritten } as const;
      await (await InferenceSession.create(writeModel(softmaxLayer()), options)).release();
      const original = softmaxLayer();
      const graph = readModel(await readFile(rewritten));
      expect(graph.inputs).toEqual(original.inputs);
      expect(graph.outputs).toEqual(original.outputs);
      expect(graph.initializers).toEqual(original.initializers);
      expect(graph.metadata).toEqual(original.metadata);
      expect(graph.nodes.map(({ operator, inputs, outputs }) => ({ operator, inputs, outputs }))).toEqual(
        original.nodes.map(({ operator, inputs, outputs }) => ({ operator, inputs, outputs })),
      );
      await expectProbabilities(await InferenceSession.create(writeModel(graph)));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is the same bytes every time', () => {
    expect(writeModel(softmaxLayer())).toEqual(writeModel(softmaxLayer()));
  });
});

describe('writeModel refuses', () => {
  const graph = softmaxLayer();
  const weight: Initializer = {
    dataType: 'float32',
    shape: [3],
    contents: { kind: 'bytes', bytes: encode([1, 2], 'float32') },
  };

  it.each<[string, Graph, RegExp]>([
    [
      'contents that are not as long as the shape says',
      { ...graph, initializers: new Map([['w', weight]]) },
      /w of float32 \[3\] needs 12 bytes, but 8/,
    ],
    [
      'nodes out of order',
      { ...graph, nodes: graph.nodes.toReversed() },
      /reads .* which no graph input, initializer or earlier node provides/,
    ],
    ['two producers of one value', { ...graph, nodes: [...graph.nodes, ...graph.nodes] }, /already has a producer/],
    [
      'an output from nowhere',
      { ...graph, outputs: [{ name: 'y', dataType: 'float32', shape: [] }] },
      /"y" is produced by nothing/,
    ],
    [
      'a domain without operator set',
      { ...graph, opsets: { 'com.microsoft': 1 } },
      /no version of the default operator set/,
    ],
    [
      'a size that is no size',
      { ...graph, inputs: [{ name: 'x', dataType: 'float32', shape: [-1, IN] }] },
      /input x has the shape \[-1, 24\]/,
    ],
  ])('%s', (_, bad, message) => {
    expect(() => writeModel(bad)).toThrow(UsageError);
    expect(() => writeModel(bad)).toThrow(message);
  });
});
