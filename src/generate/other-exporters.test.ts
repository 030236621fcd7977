import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { decoderGraph } from '../decoder/decoder-graph.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import type { Graph } from '../onnx/graph.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { openDecoder } from './decoder.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const TRACED = join(import.meta.dirname, '../checkpoint/fixtures/onnx/traced-llama/model.onnx');
const TOKENS = [3, 14, 15, 9, 2, 6, 5, 21, 8];
const FLOAT16 = 10;

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

interface Reference {
  readonly tokens: readonly number[];
  /** [tokens][vocabulary] */
  readonly logits: readonly (readonly number[])[];
}

/** scripts/fixtures/make_decoders.py: ONNX Runtime GenAI's builder, with which onnx-community's decoders are made, and PyTorch's logits. */
describe.each([
  ['genai-fp32', 1e-4],
  ['genai-fp16', 0.02],
  // Random weights lose much to four bits; another layout of the same weights is off by the scale itself.
  ['genai-int4', 0.35],
] as const)('%s', (name, tolerance) => {
  test('decodes, prompt and single tokens, as PyTorch computes the model', async () => {
    const { tokens, logits } = JSON.parse(await readFile(join(FIXTURES, 'logits.json'), 'utf8')) as Reference;
    using decoder = await openDecoder(
      runtime,
      { path: join(FIXTURES, name, 'model.onnx') },
      { label: name, headDimension: 16 },
    );
    using sequence = decoder.start(tokens.length);
    const rows = [await sequence.append(tokens.slice(0, 5))];
    for (const token of tokens.slice(5)) rows.push(await sequence.append([token]));
    const scale = Math.max(...logits.flat().map(Math.abs));
    rows.forEach((row, index) => {
      const reference = logits[4 + index] ?? [];
      const difference = Math.max(...row.map((value, id) => Math.abs(value - (reference[id] ?? Number.NaN))));
      expect(difference / scale).toBeLessThan(tolerance);
    });
  });
});

test('logits in half precision are read as numbers', async () => {
  const model = modelOf(randomLlama({ seed: 3 }));
  const { graph, weights } = decoderGraph(model, { dataType: 'f16' });
  const chunks: Uint8Array[] = [];
  for await (const chunk of weights.chunks(model.checkpoint)) chunks.push(chunk.slice());
  const externalData = { [weights.location]: new Blob(chunks as BlobPart[]) };
  const logitsOf = async (from: Graph) => {
    using decoder = await openDecoder(runtime, from, { externalData });
    using sequence = decoder.start(TOKENS.length);
    return await sequence.append(TOKENS);
  };
  const [whole, half] = [await logitsOf(graph), await logitsOf(withHalfLogits(graph))];
  const difference = Math.max(...whole.map((value, id) => Math.abs(value - (half[id] as number))));
  expect(difference).toBeGreaterThan(0);
  expect(difference).toBeLessThan(0.01);
});

/** The same graph with its logits cast, as exporters write that convert a whole model. */
function withHalfLogits(graph: Graph): Graph {
  const nodes = graph.nodes.map((node) => ({
    ...node,
    outputs: node.outputs.map((output) => (output === 'logits' ? 'whole' : output)),
  }));
  const to = { kind: 'int' as const, value: FLOAT16 };
  const cast = {
    name: 'half',
    operator: 'Cast',
    domain: '',
    inputs: ['whole'],
    outputs: ['logits'],
    attributes: { to },
  };
  return {
    ...graph,
    nodes: [...nodes, cast],
    outputs: graph.outputs.map((output) => (output.name === 'logits' ? { ...output, dataType: 'float16' } : output)),
  };
}

test('what is not supported is said in a sentence', async () => {
  await expect(openDecoder(runtime, { path: TRACED }, { label: 'traced' })).rejects.toThrow(
    'traced has no key/value cache (past_key_values.{layer}.key|value), so that it cannot decode token by token.',
  );
  await expect(
    openDecoder(runtime, { path: join(FIXTURES, 'genai-fp32/model.onnx') }, { label: 'genai' }),
  ).rejects.toThrow('the cache past_key_values.0.key has shape [batch_size, 2, past_sequence_length, ');
  const { graph } = decoderGraph(modelOf(randomLlama()));
  const extra: Graph = {
    ...graph,
    inputs: [...graph.inputs, { name: 'use_cache_branch', dataType: 'bool', shape: [1] }],
  };
  const model = modelOf(randomLlama());
  const { weights } = decoderGraph(model);
  const chunks: Uint8Array[] = [];
  for await (const chunk of weights.chunks(model.checkpoint)) chunks.push(chunk.slice());
  await expect(
    openDecoder(runtime, extra, { externalData: { [weights.location]: new Blob(chunks as BlobPart[]) } }),
  ).rejects.toThrow('the input use_cache_branch (bool) is not known; decoders have input_ids,');
});
