import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { modelOf } from '../../../architecture/model.ts';
import { decoderGraph } from '../../../decoder/decoder-graph.ts';
import type { ExportDataType } from '../../../decoder/dtypes.ts';
import { FileFormatError, MissingError, UnsupportedError } from '../../../errors.ts';
import { randomModel } from '../../../export/testing/random-model.ts';
import { GraphBuilder } from '../../../onnx/builder.ts';
import { readModel } from '../../../onnx/read.ts';
import { writeModel } from '../../../onnx/write.ts';
import type { Checkpoint } from '../../checkpoint.ts';
import { diskFolder } from '../../files/disk.ts';
import { memorySource } from '../../files/memory.ts';
import { openCheckpoint } from '../../folder.ts';
import { memoryFiles } from '../../testing/memory-files.ts';
import { onnxSkeleton } from './onnx-skeleton.ts';

const fixtures = join(import.meta.dirname, '../../fixtures/onnx');
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** The formula of scripts/fixtures/make_onnx.py. */
function canonical(name: string, length: number): Float32Array {
  const sum = [...new TextEncoder().encode(name)].reduce((total, byte) => total + byte, 0);
  return Float32Array.from({ length }, (_, i) => (((i * 37 + sum) % 255) - 127) / 64);
}

const NAMES = [
  'model.embed_tokens.weight',
  ...[
    'input_layernorm',
    'post_attention_layernorm',
    'self_attn.q_proj',
    'self_attn.k_proj',
    'self_attn.v_proj',
    'self_attn.o_proj',
  ].map((part) => `model.layers.0.${part}.weight`),
  ...['gate_proj', 'up_proj', 'down_proj'].map((part) => `model.layers.0.mlp.${part}.weight`),
  'model.norm.weight',
];
const EXPECTED = {
  llama: [...NAMES, 'lm_head.weight'],
  qwen2: [...NAMES, ...['q', 'k', 'v'].map((letter) => `model.layers.0.self_attn.${letter}_proj.bias`)],
};

async function largestError(
  model: Checkpoint,
  reference: (name: string, length: number) => Promise<Float32Array> | Float32Array,
): Promise<number> {
  let largest = 0;
  for (const [name, { shape }] of model.tensors) {
    const values = await model.read(name);
    const expected = await reference(name, values.length);
    expect([name, values.length]).toEqual([name, shape.reduce((product, size) => product * size, 1)]);
    expect([name, values.length]).toEqual([name, expected.length]);
    for (const [i, value] of values.entries()) largest = Math.max(largest, Math.abs(value - (expected[i] as number)));
    const rowSize = values.length / (shape[0] ?? 1);
    expect(await model.read(name, { start: 1, end: 3 })).toEqual(values.slice(rowSize, 3 * rowSize));
  }
  return largest;
}

describe.each(['traced-llama', 'traced-qwen2', 'genai-llama', 'genai-qwen2'])('%s', (name) => {
  test('every weight comes back exactly, whole and by rows', async () => {
    const model = await openCheckpoint(await diskFolder(join(fixtures, name)));
    expect([...model.tensors.keys()].sort()).toEqual([...EXPECTED[name.endsWith('llama') ? 'llama' : 'qwen2']].sort());
    expect(await largestError(model, canonical)).toBe(0);
    expect(model.provenance.format).toBe('onnx');
    expect(() => modelOf(model)).not.toThrow();
  });
});

test.each(['genai-llama-int4', 'genai-qwen2-int4'])(
  '%s comes back to within half a step of its blocks',
  async (name) => {
    const model = await openCheckpoint(await diskFolder(join(fixtures, name)));
    expect([...model.tensors.keys()].sort()).toEqual([...EXPECTED[name.includes('llama') ? 'llama' : 'qwen2']].sort());
    const error = await largestError(model, canonical);
    // Values reach 2; sixteen codes from -8 to 7 steps of 2/8; the one beyond 7 is a whole step off.
    expect(error).toBeGreaterThan(0.01);
    expect(error).toBeLessThanOrEqual(0.25 + 1e-6);
    expect(model.tensors.get('model.layers.0.mlp.up_proj.weight')?.storage).toBe('Q4');
    expect(() => modelOf(model)).not.toThrow();
  },
);

const SIZES = {
  num_hidden_layers: 2,
  hidden_size: 48,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  intermediate_size: 40,
  vocab_size: 64,
  max_position_embeddings: 32,
  rope_theta: 10_000,
};
const CONFIGS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  llama: { ...SIZES, model_type: 'llama', tie_word_embeddings: false },
  'llama, pruned': {
    ...SIZES,
    model_type: 'llama',
    tie_word_embeddings: true,
    espalier: {
      layers: [
        { keyValueHeads: 1, neurons: 11 },
        { keyValueHeads: 2, neurons: 40 },
      ],
    },
  },
  qwen3: { ...SIZES, model_type: 'qwen3', tie_word_embeddings: true },
  phi3: { ...SIZES, model_type: 'phi3', tie_word_embeddings: false },
  gemma3: {
    ...SIZES,
    model_type: 'gemma3_text',
    tie_word_embeddings: true,
    sliding_window: 9,
    sliding_window_pattern: 2,
    query_pre_attn_scalar: 24,
  },
};

/** Our own export as a folder in memory. */
async function exported(model: Checkpoint, dataType: ExportDataType): Promise<Record<string, Uint8Array>> {
  const { graph, weights } = decoderGraph(modelOf(model), { dataType, location: 'model.onnx_data' });
  const chunks: Uint8Array[] = [];
  for await (const chunk of weights.chunks(model)) chunks.push(chunk.slice());
  return {
    'config.json': encode(model.config),
    'onnx/model.onnx': writeModel(graph),
    'onnx/model.onnx_data': new Uint8Array(Buffer.concat(chunks)),
  };
}

describe.each(Object.entries(CONFIGS))('our own export of %s', (_, config) => {
  test.each<[ExportDataType, number]>([
    ['f32', 1e-6],
    ['f16', 2e-3],
    ['q8', 1e-2],
    ['q4', 8e-2],
  ])('in %s is a checkpoint again', async (dataType, tolerance) => {
    const original = randomModel(config);
    const model = await openCheckpoint(memoryFiles('pruned', await exported(original, dataType)));
    const reopened = modelOf(model);
    expect(reopened.architecture.config.layerWidths).toEqual(modelOf(original).architecture.config.layerWidths);
    for (const name of model.tensors.keys()) expect(original.tensors.has(name)).toBe(true);
    expect(await largestError(model, (name) => original.read(name))).toBeLessThan(tolerance);
  });
});

test('a large file is read as a graph that refers to itself', async () => {
  const builder = new GraphBuilder('large');
  const values = Float32Array.from({ length: 5000 }, (_, i) => i);
  const x = builder.input('x', 'float32', ['rows', 5000]);
  const weight = builder.initializer('w', {
    dataType: 'float32',
    shape: [5000],
    contents: { kind: 'bytes', bytes: new Uint8Array(values.buffer) },
  });
  builder.output(
    builder.add('Add', [builder.add('Mul', [x, weight]), builder.constant([1])]),
    'float32',
    ['rows', 5000],
    'y',
  );
  const bytes = writeModel(builder.build({ purpose: 'test' }));
  const skeleton = await onnxSkeleton(memorySource('m.onnx', bytes), 'm.onnx');
  expect(skeleton.length).toBeLessThan(1000);
  const [whole, light] = [readModel(bytes), readModel(skeleton)];
  const { contents } = light.initializers.get('w') ?? {};
  if (contents?.kind !== 'external') throw new Error('the weight was not taken out');
  expect(contents.location).toBe('m.onnx');
  expect(bytes.subarray(contents.offset, contents.offset + contents.length)).toEqual(new Uint8Array(values.buffer));
  expect({ ...light, initializers: [...light.initializers.keys()] }).toEqual({
    ...whole,
    initializers: [...whole.initializers.keys()],
  });
  for (let length = 0; length < bytes.length; length += 37) {
    const cut = await onnxSkeleton(memorySource('m.onnx', bytes.slice(0, length)), 'm.onnx').catch(
      (error: unknown) => error,
    );
    if (!(cut instanceof Uint8Array)) expect(cut).toBeInstanceOf(FileFormatError);
  }
});

test('what cannot be recovered is refused with the reason', async () => {
  const folder = join(fixtures, 'genai-llama');
  const [config, model, data] = await Promise.all(
    ['config.json', 'model.onnx', 'model.onnx.data'].map(
      async (name) => new Uint8Array(await readFile(join(folder, name))),
    ),
  );
  const open = (files: Record<string, Uint8Array | undefined>) =>
    openCheckpoint(
      memoryFiles(
        'm',
        Object.fromEntries(
          Object.entries(files).filter((entry): entry is [string, Uint8Array] => entry[1] !== undefined),
        ),
      ),
    );
  await expect(open({ 'model.onnx': model })).rejects.toThrow(/has no config.json/);
  await expect(open({ 'config.json': config, 'model.onnx': model })).rejects.toThrow(
    /no file "model.onnx.data", which holds weights/,
  );
  await expect(open({ 'config.json': config, 'model.onnx': model })).rejects.toThrow(MissingError);
  await expect(
    open({ 'config.json': config, 'model.onnx': model, 'model.onnx.data': data?.slice(0, 20_000) }),
  ).rejects.toThrow(/model.onnx.data is truncated/);
  const gemma = encode({ ...(JSON.parse(new TextDecoder().decode(config)) as object), model_type: 'gemma3_text' });
  await expect(open({ 'config.json': gemma, 'model.onnx': model, 'model.onnx.data': data })).rejects.toThrow(
    UnsupportedError,
  );
  const anonymous = new GraphBuilder('anonymous');
  const x = anonymous.input('x', 'float32', ['rows', 2]);
  anonymous.output(anonymous.add('MatMul', [x, anonymous.constant([1, 2, 3, 4], [2, 2])]), 'float32', ['rows', 2], 'y');
  await expect(open({ 'config.json': config, 'model.onnx': writeModel(anonymous.build()) })).rejects.toThrow(
    /does not say which module its weights belong to/,
  );
  const evil = new GraphBuilder('evil');
  evil.output(
    evil.add('Neg', [
      evil.initializer('w', {
        dataType: 'float32',
        shape: [1],
        contents: { kind: 'external', location: 'aa/bb/passwd', offset: 0, length: 4 },
      }),
    ]),
    'float32',
    [1],
    'y',
  );
  const harmless = Buffer.from(writeModel(evil.build()));
  harmless.write('../../passwd', harmless.indexOf('aa/bb/passwd'));
  await expect(
    open({ 'config.json': config, 'model.onnx': new Uint8Array(harmless), '../../passwd': new Uint8Array(4) }),
  ).rejects.toThrow(/"..\/..\/passwd".* refused because it contains '..'/);
});
