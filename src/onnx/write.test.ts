import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { encode, GraphBuilder } from './builder.ts';
import { externalDataBytes, externalDataChunks, planExternalData } from './external-layout.ts';
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

  it('runs with its weights in external data in memory', async () => {
    const external = planExternalData(softmaxLayer(), 'model.onnx_data', { threshold: 64 });
    expect(external.layout.tensors.map(({ offset, length }) => [offset, length])).toEqual([
      [0, 4 * OUT * IN],
      [4096, 4 * OUT],
    ]);
    const externalData = [{ path: 'model.onnx_data', data: externalDataBytes(external) }];
    await expectProbabilities(await InferenceSession.create(writeModel(external.graph), { externalData }));
  });

  it('runs with its weights in external data on disk, streamed tensor by tensor', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'espalier-write-'));
    try {
      const { graph, layout, contents } = planExternalData(softmaxLayer(), 'model.onnx_data', { threshold: 64 });
      const chunks: Uint8Array[] = [];
      for await (const chunk of externalDataChunks(layout, ({ name }) => contents.get(name) ?? new Uint8Array()))
        chunks.push(chunk);
      await writeFile(join(folder, 'model.onnx_data'), Buffer.concat(chunks));
      await writeFile(join(folder, 'model.onnx'), writeModel(graph));
      await expectProbabilities(await InferenceSession.create(join(folder, 'model.onnx')));
    } finally {
      await rm(folder, { recursive: true });
    }
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

  it('external data outside the folder of the model', () => {
    for (const location of [
      '',
      '/etc/data',
      '../data',
      'a/../../data',
      'C:\\data',
      'file:data',
      'a\0b',
      '*/memory',
      'a//b',
      './a',
    ])
      expect(() => planExternalData(graph, location), location).toThrow(UsageError);
  });

  it('contents that differ in length from the place that was taken for them', async () => {
    const { layout } = planExternalData(graph, 'data', { threshold: 64 });
    const first = externalDataChunks(layout, () => new Uint8Array(7)).next();
    await expect(first).rejects.toThrow(/was placed with 1536 bytes in data, but 7 are given/);
  });
});
