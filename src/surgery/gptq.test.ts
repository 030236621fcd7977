import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dequantiseBlocks } from '../decoder/dequantise.ts';
import { quantiseBlocks } from '../decoder/quantise.ts';
import { roundedCheckpoint } from '../decoder/rounded.ts';
import { tensorsInTableBits } from '../decoder/sensitive.ts';
import { weightedGrid } from '../decoder/weighted-grid.ts';
import { DeviceError, MismatchError } from '../errors.ts';
import { blockProgramLogits } from '../export/block-logits.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { randomModel } from '../export/testing/random-model.ts';
import { OpenModel } from '../library/open-model.ts';
import { createRandom, seededRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { calibratedRounding } from './calibrated-rounding.ts';
import { gptqRound, weightedRound } from './gptq.ts';
import { gauss } from './testing/gauss.ts';

const FORMAT = { bits: 4, block: 32 } as const;

/** X X^T [inputs, inputs] of inputs that go together, as activations do. */
function products(inputs: number, samples: number, seed: number): Float64Array {
  const random = seededRandom(seed);
  const result = new Float64Array(inputs * inputs);
  for (let sample = 0; sample < samples; sample++) {
    const common = 3 * random() - 1.5;
    const x = Float64Array.from({ length: inputs }, (_, i) => common * (1 + (i % 5)) + 2 * random() - 1);
    for (let i = 0; i < inputs; i++)
      for (let j = 0; j < inputs; j++)
        result[i * inputs + j] = (result[i * inputs + j] ?? 0) + (x[i] ?? 0) * (x[j] ?? 0);
  }
  return result;
}

function matrix(rows: number, columns: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: rows * columns }, () => 2 * random() - 1);
}

/** |(W - Q) X|^2 */
function outputError(weight: Float32Array, rounded: Float32Array, product: Float64Array, inputs: number): number {
  let sum = 0;
  for (let row = 0; row < weight.length; row += inputs)
    for (let i = 0; i < inputs; i++)
      for (let j = 0; j < inputs; j++)
        sum +=
          ((weight[row + i] ?? 0) - (rounded[row + i] ?? 0)) *
          (product[i * inputs + j] ?? 0) *
          ((weight[row + j] ?? 0) - (rounded[row + j] ?? 0));
  return sum;
}

/**
 * GPTQ from its definition, without Cholesky factors: after a column is rounded, the columns F that are left become the least-squares answer to its error,
 * w_F -= (w_i - q_i) / [H_R^-1]_ii [H_R^-1]_iF, with R the columns not rounded yet and H_R their part of H (optimal brain surgeon, one row at a time).
 */
function reference(product: Float64Array, weight: Float32Array, outputs: number, inputs: number): Float64Array {
  let mean = 0;
  for (let i = 0; i < inputs; i++) mean += (product[i * inputs + i] ?? 0) / inputs;
  const damped = (i: number, j: number) => (product[i * inputs + j] ?? 0) + (i === j ? 0.1 * mean : 0);
  /** The column of the inverse of `members`' part that belongs to the first of them. */
  const inverseColumn = (members: readonly number[]) =>
    gauss(
      members.map((a) => members.map((b) => damped(a, b))),
      members.map((_, index) => (index === 0 ? 1 : 0)),
    );
  const all = Array.from({ length: inputs }, (_, i) => i);
  const importance = Float64Array.from(
    all.map((i) => 1 / (inverseColumn([i, ...all.filter((other) => other !== i)])[0] ?? 1)),
  );
  const left = Float64Array.from(weight);
  const result = new Float64Array(weight.length);
  const order = all.toSorted((a, b) => damped(b, b) - damped(a, a));
  for (const [index, i] of order.entries()) {
    const members = order.slice(index);
    const column = inverseColumn(members);
    const [start, end] = [i - (i % 32), Math.min(inputs, i - (i % 32) + 32)];
    for (let row = 0; row < outputs; row++) {
      const base = row * inputs;
      const { scale, zeroPoint } = weightedGrid(
        weight.subarray(base + start, base + end),
        importance.subarray(start, end),
        4,
      );
      const whole = Math.min(15, Math.max(0, Math.floor((left[base + i] ?? 0) / scale + 0.5) + zeroPoint));
      result[base + i] = Math.fround(scale * (whole - zeroPoint));
      const error = ((left[base + i] ?? 0) - (result[base + i] ?? 0)) / (column[0] ?? 1);
      for (const [a, member] of members.entries())
        if (a > 0) left[base + member] = (left[base + member] ?? 0) - error * (column[a] ?? 0);
    }
  }
  return result;
}

describe('gptqRound', () => {
  test.each([
    [48, 5],
    [150, 3],
  ])('%i inputs: equals the definition, weight by weight', (inputs, outputs) => {
    const product = products(inputs, 3 * inputs, inputs);
    const weight = matrix(outputs, inputs, 4);
    const found = gptqRound(product, weight, outputs, inputs, FORMAT);
    const expected = reference(product, weight, outputs, inputs);
    found.forEach((value, index) => {
      expect(Math.abs(value - (expected[index] ?? Number.NaN))).toBeLessThan(1e-5);
    });
  });

  test('changes the outputs less than rounding to the nearest does, and its grids are found again', () => {
    const [inputs, outputs] = [96, 16];
    const product = products(inputs, 400, 2);
    const weight = matrix(outputs, inputs, 7);
    const nearest = dequantiseBlocks(quantiseBlocks(weight, inputs, 4, 32), inputs, 4, 32);
    const found = gptqRound(product, weight, outputs, inputs, FORMAT);
    expect(outputError(weight, found, product, inputs)).toBeLessThan(
      0.5 * outputError(weight, nearest, product, inputs),
    );
    const kept = dequantiseBlocks(quantiseBlocks(found, inputs, 4, 32), inputs, 4, 32);
    const off = found.map((value, index) => Math.abs(value - (kept[index] ?? Number.NaN)));
    expect(Math.max(...off)).toBeLessThan(1e-6);
  });

  test('weights rounded to the nearest by mean squares err less in the outputs of unlike inputs', () => {
    const [inputs, outputs] = [96, 16];
    const weight = matrix(outputs, inputs, 9);
    const squares = Float64Array.from({ length: inputs }, (_, i) => (i % 16 === 3 ? 100 : 1));
    const product = new Float64Array(inputs * inputs);
    squares.forEach((square, i) => {
      product[i * inputs + i] = square;
    });
    const plain = dequantiseBlocks(quantiseBlocks(weight, inputs, 4, 32), inputs, 4, 32);
    const found = weightedRound(squares, weight, inputs, FORMAT);
    expect(outputError(weight, found, product, inputs)).toBeLessThan(0.7 * outputError(weight, plain, product, inputs));
    const kept = dequantiseBlocks(quantiseBlocks(found, inputs, 4, 32), inputs, 4, 32);
    expect(Math.max(...found.map((value, index) => Math.abs(value - (kept[index] ?? Number.NaN))))).toBeLessThan(1e-6);
  });

  test('shrinkage takes its share from the products of different inputs', () => {
    const product = products(40, 60, 3);
    const weight = matrix(3, 40, 8);
    const half = product.map((value, at) => (at % 41 === 0 ? value : value / 2));
    expect(gptqRound(product, weight, 3, 40, { ...FORMAT, shrinkage: 0.5 })).toEqual(
      gptqRound(half, weight, 3, 40, FORMAT),
    );
  });

  test('channels that carry nothing are rounded to the nearest; damaged products are refused', () => {
    const weight = matrix(2, 32, 3);
    const nearest = weightedRound(new Float64Array(32).fill(1), weight, 32, FORMAT);
    expect(gptqRound(new Float64Array(32 * 32), weight, 2, 32, FORMAT)).toEqual(nearest);
    expect(() => gptqRound(new Float64Array(32 * 32).fill(Number.NaN), weight, 2, 32, FORMAT)).toThrow(DeviceError);
    expect(() => gptqRound(new Float64Array(9), weight, 2, 32, FORMAT)).toThrow(MismatchError);
  });
});

describe('a model rounded by GPTQ', () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createNodeRuntime({ threads: 1 });
  });
  afterAll(() => runtime.dispose());

  test('is nearer to the model than one rounded to the nearest, and the export format keeps it', async () => {
    const checkpoint = randomLlama({
      layers: 2,
      hiddenSize: 64,
      neurons: 96,
      queryHeads: 4,
      keyValueHeads: 2,
      vocabulary: 48,
      seed: 12,
    });
    using dense = new OpenModel(runtime, checkpoint);
    const random = createRandom(5);
    const draw = (count: number) =>
      Array.from({ length: count }, () => Array.from({ length: 32 }, () => random.integer(48)));
    // Tables of positions are made once for each length.
    await blockProgramLogits(dense.programs, dense.store)(draw(1)[0] ?? []);
    const before = runtime.statistics().liveTensors;
    const rounded = await calibratedRounding(dense.programs, dense.store, draw(40), {
      structuresOf: dense.structuresOf,
    });
    expect(runtime.statistics().liveTensors).toBe(before);
    const tables = tensorsInTableBits(dense.model, 'q4');
    using nearest = dense.withCheckpoint(roundedCheckpoint(checkpoint, 'q4', tables));
    using gptq = dense.withCheckpoint(roundedCheckpoint(rounded, 'q4', tables));
    const logits = [dense, nearest, gptq].map(({ programs, store }) => blockProgramLogits(programs, store));
    let [nearestError, gptqError] = [0, 0];
    for (const window of draw(8)) {
      const [truth, a, b] = await Promise.all(logits.map((of) => of(window)));
      truth?.forEach((value, index) => {
        nearestError += (value - (a?.[index] ?? Number.NaN)) ** 2;
        gptqError += (value - (b?.[index] ?? Number.NaN)) ** 2;
      });
    }
    expect(gptqError).toBeLessThan(0.9 * nearestError);
    for (const name of ['model.layers.0.self_attn.q_proj.weight', 'model.layers.1.mlp.up_proj.weight']) {
      const [own, kept] = [await rounded.read(name), await gptq.model.checkpoint.read(name)];
      expect(Math.max(...own.map((value, index) => Math.abs(value - (kept[index] ?? Number.NaN))))).toBeLessThan(1e-6);
      expect(own).not.toEqual(await checkpoint.read(name));
    }
    // What the format stores in 8 bits is not rounded before.
    const values = 'model.layers.0.self_attn.v_proj.weight';
    expect(await rounded.read(values)).toEqual(await checkpoint.read(values));
  });

  test('rounds the matrices of a recurrence, which belong to no groups, but for those that stay exact', async () => {
    const checkpoint = randomModel({
      model_type: 'qwen3_5_text',
      num_hidden_layers: 2,
      layer_types: ['linear_attention', 'full_attention'],
      hidden_size: 32,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      head_dim: 16,
      partial_rotary_factor: 0.5,
      intermediate_size: 32,
      vocab_size: 48,
      linear_key_head_dim: 8,
      linear_value_head_dim: 16,
      linear_num_key_heads: 2,
      linear_num_value_heads: 2,
    });
    using dense = new OpenModel(runtime, checkpoint);
    const windows = [0, 1].map((start) => Array.from({ length: 32 }, (_, index) => (start + index * 7) % 48));
    const { read } = await calibratedRounding(dense.programs, dense.store, windows, {
      structuresOf: dense.structuresOf,
    });
    const isRounded = async (name: string) => {
      const [own, before] = [await read(name), await checkpoint.read(name)];
      return own.some((value, index) => value !== before[index]);
    };
    const at = 'model.layers.0.linear_attn';
    for (const name of ['in_proj_qkv', 'in_proj_z', 'out_proj'])
      expect(await isRounded(`${at}.${name}.weight`), name).toBe(true);
    for (const name of ['in_proj_a', 'in_proj_b', 'conv1d'])
      expect(await isRounded(`${at}.${name}.weight`), name).toBe(false);
    expect(await isRounded('model.layers.1.self_attn.gate_proj.weight')).toBe(true);
  });

  test('leaves matrices that lie on grids already', async () => {
    const shape = { layers: 1, hiddenSize: 64, neurons: 32, queryHeads: 4, keyValueHeads: 2, vocabulary: 48, seed: 3 };
    const plain = randomLlama(shape);
    const kept = 'model.layers.0.mlp.up_proj.weight';
    const tensors = new Map(plain.tensors);
    const info = tensors.get(kept);
    if (info) tensors.set(kept, { ...info, grids: { bits: 4, block: 32 } });
    using dense = new OpenModel(runtime, { ...plain, tensors });
    const windows = [Array.from({ length: 32 }, (_, index) => (index * 7) % 48)];
    const { read } = await calibratedRounding(dense.programs, dense.store, windows, {
      structuresOf: dense.structuresOf,
    });
    expect(await read(kept)).toEqual(await plain.read(kept));
    const beside = 'model.layers.0.mlp.gate_proj.weight';
    expect(await read(beside)).not.toEqual(await plain.read(beside));
  });
});
