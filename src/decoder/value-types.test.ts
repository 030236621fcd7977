import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { elementCount } from '../arrays.ts';
import { randomModel } from '../export/testing/random-model.ts';
import type { Dimension, Graph } from '../onnx/graph.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { DeviceTensor, Runtime } from '../runtime/runtime.ts';
import { decoderGraph } from './decoder-graph.ts';
import type { ExportDataType } from './dtypes.ts';
import { broadcast, reshaped } from './symbolic-sizes.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const SIZES = {
  num_hidden_layers: 3,
  hidden_size: 48,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  intermediate_size: 40,
  vocab_size: 64,
  max_position_embeddings: 128,
  rope_theta: 10_000,
};
const GEMMA = {
  ...SIZES,
  model_type: 'gemma3_text',
  sliding_window: 9,
  sliding_window_pattern: 2,
  query_pre_attn_scalar: 24,
};
const LFM2 = {
  ...SIZES,
  model_type: 'lfm2',
  layer_types: ['conv', 'full_attention', 'conv'],
  block_auto_adjust_ff_dim: false,
};

const CASES: readonly (readonly [string, Readonly<Record<string, unknown>>, ExportDataType])[] = [
  ['llama in f32', { ...SIZES, model_type: 'llama' }, 'f32'],
  ['llama in q4, 48 inputs in blocks of 32', { ...SIZES, model_type: 'llama' }, 'q4'],
  ['qwen2 with biases, in q8', { ...SIZES, model_type: 'qwen2' }, 'q8'],
  ['qwen3 with norms of heads', { ...SIZES, model_type: 'qwen3' }, 'f32'],
  ['gemma3 with four norms', GEMMA, 'f32'],
  ['mistral in ordinary operators', { ...SIZES, model_type: 'mistral', sliding_window: 7, head_dim: 12 }, 'f32'],
  ['lfm2 with convolutions', LFM2, 'f32'],
];

const BOUND: Readonly<Record<string, number>> = {
  batch_size: 1,
  sequence_length: 3,
  past_sequence_length: 4,
  total_sequence_length: 7,
};

describe('the types that a decoder tells of its values', () => {
  test.each(CASES)('are those that they have: %s', async (_, config, dataType) => {
    const model = modelOf(randomModel(config));
    const { graph, weights } = decoderGraph(model, { dataType });
    const produced = graph.nodes.flatMap(({ outputs }) => outputs).filter((name) => name !== '');
    const told = new Set([...graph.outputs, ...(graph.values ?? [])].map(({ name }) => name));
    expect(produced.filter((name) => !told.has(name))).toEqual([]);

    const values = [...graph.outputs, ...(graph.values ?? [])];
    const parts: Uint8Array[] = [];
    for await (const chunk of weights.chunks(model.checkpoint)) parts.push(chunk.slice());
    using session = await runtime.createSession(
      { ...graph, outputs: values },
      { externalData: { [weights.location]: Buffer.concat(parts) } },
    );
    const found = await session.run(feedsOf(graph));
    const symbols = new Map(Object.entries({ ...BOUND, kept_sequence_length: 1 }));
    for (const { name, dataType: type, shape } of values) {
      const tensor = found[name] as DeviceTensor;
      expect({ name, type: tensor.dataType, shape: tensor.shape }).toEqual({
        name,
        type,
        shape: shape.map((size, axis) => bound(size, tensor.shape[axis])),
      });
    }

    /** A symbol has one size wherever it stands. */
    function bound(size: Dimension, is: number | undefined): number | undefined {
      if (typeof size === 'number') return size;
      if (!symbols.has(size) && is !== undefined) symbols.set(size, is);
      return symbols.get(size);
    }
  });
});

/** Zeros for every input, and ones for the mask and the kept positions. */
function feedsOf(graph: Graph): Record<string, DeviceTensor> {
  const feeds: Record<string, DeviceTensor> = {};
  for (const { name, dataType, shape: dimensions } of graph.inputs) {
    const shape = dimensions.map((size) => (typeof size === 'number' ? size : (BOUND[size] ?? 1)));
    if (dataType === 'int64') {
      const value = name === 'input_ids' ? 0n : 1n;
      feeds[name] = runtime.upload({ dataType, shape, data: new BigInt64Array(elementCount(shape)).fill(value) });
    } else feeds[name] = runtime.allocate(dataType, shape);
  }
  return feeds;
}

test('sizes are told as far as they follow', () => {
  const fresh = () => 'new';
  expect(
    broadcast(
      [
        ['b', 1, 's'],
        [4, 's'],
      ],
      fresh,
    ),
  ).toEqual(['b', 4, 's']);
  expect(broadcast([['a'], ['b']], fresh)).toEqual(['new']);
  expect(reshaped(['b', 's', 12], [0, -1, 4, 3], fresh)).toEqual(['b', 's', 4, 3]);
  expect(reshaped(['b', 's', 12], [-1, 12], fresh)).toEqual(['new', 12]);
  expect(reshaped([2, 6], [3, -1], fresh)).toEqual([3, 4]);
});
