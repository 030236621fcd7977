import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { architectureFor } from '../architecture/index.ts';
import { modelOf } from '../architecture/model.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { type RandomLlamaOptions, randomLlama } from '../export/testing/random-llama.ts';
import { referenceLogits } from '../export/testing/reference-llama.ts';
import { createRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { DeviceTensor, Runtime, Session } from '../runtime/runtime.ts';
import { type DecoderOptions, decoderGraph } from './decoder-graph.ts';
import { dequantiseBlocks } from './dequantise.ts';
import { quantiseBlocks } from './quantise.ts';
import { QuantisedMatrices } from './quantised-matrices.ts';
import { roundedCheckpoint } from './rounded.ts';
import { tensorsInTableBits } from './sensitive.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const PROMPT = Array.from({ length: 11 }, (_, index) => (index * 29 + 3) % 64);

async function compile(checkpoint: Checkpoint, options?: DecoderOptions): Promise<Session> {
  const { graph, weights } = decoderGraph({ checkpoint, architecture: architectureFor(checkpoint) }, options);
  const data = new Uint8Array(weights.byteLength);
  let offset = 0;
  for await (const chunk of weights.chunks(checkpoint)) {
    data.set(chunk, offset);
    offset += chunk.byteLength;
  }
  expect(offset).toBe(weights.byteLength);
  return runtime.createSession(graph, { externalData: { [weights.location]: data } });
}

/** One run. `present` is the cache from an earlier run; `keep` 0 asks for all logits. */
async function run(
  session: Session,
  checkpoint: Checkpoint,
  tokens: readonly number[],
  present: Record<string, DeviceTensor>,
  past: number,
  keep = 0,
  cacheType: 'float32' | 'float16' = 'float32',
) {
  const int64 = (values: readonly number[], shape: readonly number[]) =>
    runtime.upload({ dataType: 'int64', shape, data: BigInt64Array.from(values, BigInt) });
  const feeds: Record<string, DeviceTensor> = {
    input_ids: int64(tokens, [1, tokens.length]),
    attention_mask: int64(new Array(past + tokens.length).fill(1), [1, past + tokens.length]),
    num_logits_to_keep: int64([keep], []),
  };
  const { config } = architectureFor(checkpoint);
  for (const name of session.inputNames.filter((input) => input.startsWith('past_key_values'))) {
    const heads = config.layerWidths[Number(name.split('.')[1])]?.keyValueHeads ?? 0;
    feeds[name] =
      present[name.replace('past_key_values', 'present')] ??
      runtime.allocate(cacheType, [1, heads, 0, config.headDimension]);
  }
  const outputs = await session.run(feeds);
  const logits = await runtime.read(outputs.logits as DeviceTensor);
  return { logits: logits.data as Float32Array, shape: logits.shape, outputs };
}

function largestDifference(logits: Float32Array, reference: Float64Array[]): number {
  const vocabulary = reference[0]?.length ?? 0;
  let largest = 0;
  reference.forEach((row, position) => {
    row.forEach((value, id) => {
      largest = Math.max(largest, Math.abs(value - (logits[position * vocabulary + id] as number)));
    });
  });
  return largest;
}

/** The checkpoint that quantisation leaves: embedding in bytes, matrices in `bits` bits. */
function rounded(checkpoint: Checkpoint, bits: 4 | 8): Checkpoint {
  const inBytes = tensorsInTableBits(modelOf(checkpoint), bits === 8 ? 'q8' : 'q4');
  return {
    ...checkpoint,
    async read(name) {
      const values = await checkpoint.read(name);
      const columns = checkpoint.tensors.get(name)?.shape[1];
      if (columns === undefined) return values;
      const used = inBytes.includes(name) ? 8 : bits;
      return dequantiseBlocks(quantiseBlocks(values, columns, used, 32), columns, used, 32);
    },
  };
}

const CASES: Readonly<Record<string, RandomLlamaOptions>> = {
  'a dense model': {},
  'an untied head': { tied: false },
  'layers of different widths': {
    widths: [
      { keyValueHeads: 2, neurons: 40 },
      { keyValueHeads: 1, neurons: 7 },
      { keyValueHeads: 2, neurons: 33 },
    ],
  },
  'a removed layer and removed modules': {
    widths: [
      { keyValueHeads: 0, neurons: 40 },
      { keyValueHeads: 0, neurons: 0 },
      { keyValueHeads: 1, neurons: 0 },
      { keyValueHeads: 2, neurons: 9 },
    ],
  },
  'compensation biases, also of removed modules': {
    biases: true,
    widths: [
      { keyValueHeads: 2, neurons: 0 },
      { keyValueHeads: 0, neurons: 12 },
      { keyValueHeads: 1, neurons: 8 },
    ],
  },
  'a head dimension that GroupQueryAttention does not rotate': { headDimension: 8 },
  'a head dimension that GroupQueryAttention does not take': { headDimension: 12 },
  'one key/value head per query head': { keyValueHeads: 4 },
};

describe('decoderGraph', () => {
  for (const [name, options] of Object.entries(CASES)) {
    test(`equals the definition for ${name}, at once and token by token`, async () => {
      const checkpoint = randomLlama(options);
      using session = await compile(checkpoint);
      const reference = await referenceLogits(checkpoint, PROMPT);
      const whole = await run(session, checkpoint, PROMPT, {}, 0);
      expect(whole.shape).toEqual([1, PROMPT.length, 64]);
      expect(largestDifference(whole.logits, reference)).toBeLessThan(2e-5);

      const prefill = 5;
      let last = await run(session, checkpoint, PROMPT.slice(0, prefill), {}, 0, 1);
      expect(last.shape).toEqual([1, 1, 64]);
      for (let position = prefill; position < PROMPT.length; position++) {
        expect(largestDifference(last.logits, reference.slice(position - 1, position))).toBeLessThan(2e-5);
        last = await run(session, checkpoint, PROMPT.slice(position, position + 1), last.outputs, position, 1);
      }
      expect(largestDifference(last.logits, reference.slice(-1))).toBeLessThan(2e-5);
    });
  }

  for (const dataType of ['q8', 'q4'] as const) {
    test(`a ${dataType} decoder computes with the weights that quantisation leaves, at ragged widths too`, async () => {
      const checkpoint = randomLlama({
        hiddenSize: 80,
        widths: [
          { keyValueHeads: 2, neurons: 40 },
          { keyValueHeads: 1, neurons: 37 },
        ],
      });
      using session = await compile(checkpoint, { dataType });
      const reference = await referenceLogits(rounded(checkpoint, dataType === 'q8' ? 8 : 4), PROMPT);
      const { logits } = await run(session, checkpoint, PROMPT, {}, 0);
      const scale = Math.max(...reference.flatMap((row) => [...row]).map(Math.abs));
      // What remains is the rounding of activations to bytes.
      expect(largestDifference(logits, reference)).toBeLessThan(0.02 * scale);
    });
  }

  test('q4 keeps weights that lie on grids with minima of their own, and only these', async () => {
    const random = createRandom(2);
    const plain = randomLlama({ hiddenSize: 64, widths: [{ keyValueHeads: 2, neurons: 40 }] });
    const grids = { bits: 4, block: 32 };
    const isEven = (name: string) => /proj/.test(name) && !/v_proj/.test(name);
    const even = new Map<string, Float32Array>();
    for (const [name, { shape }] of plain.tensors) {
      if (!isEven(name)) continue;
      const [rows = 0, columns = 0] = shape;
      const data = new Float32Array(rows * columns);
      for (let start = 0; start < rows; start++)
        for (let first = 0; first < columns; first += 32) {
          const [least, step] = [-0.3 * random.uniform(), 0.01 + 0.03 * random.uniform()];
          for (let column = first; column < Math.min(columns, first + 32); column++)
            data[start * columns + column] = least + step * random.integer(16);
        }
      even.set(name, data);
    }
    const withEven = (tensors: Checkpoint['tensors']): Checkpoint => ({
      ...plain,
      tensors,
      async read(name, rows) {
        const data = even.get(name);
        const columns = plain.tensors.get(name)?.shape[1] ?? 1;
        if (!data) return plain.read(name, rows);
        return rows ? data.slice(rows.start * columns, rows.end * columns) : data.slice();
      },
    });
    const marked = withEven(
      new Map([...plain.tensors].map(([name, info]) => [name, isEven(name) ? { ...info, grids } : info])),
    );
    const kept: Checkpoint = {
      ...marked,
      read: (name, rows) => (isEven(name) ? marked.read(name, rows) : rounded(marked, 4).read(name, rows)),
    };
    const reference = await referenceLogits(kept, PROMPT);
    const scale = Math.max(...reference.flatMap((row) => [...row]).map(Math.abs));
    const difference = async (checkpoint: Checkpoint) => {
      using session = await compile(checkpoint, { dataType: 'q4' });
      return largestDifference((await run(session, checkpoint, PROMPT, {}, 0)).logits, reference) / scale;
    };
    expect(await difference(marked)).toBeLessThan(0.02);
    expect(await difference(withEven(plain.tensors))).toBeGreaterThan(0.05);
    const asBlockPrograms = roundedCheckpoint(marked, 'q4', tensorsInTableBits(modelOf(marked), 'q4'));
    for (const name of plain.tensors.keys()) {
      const [found, expected] = [await asBlockPrograms.read(name), await kept.read(name)];
      found.forEach((value, index) => {
        expect(Math.abs(value - (expected[index] ?? Number.NaN))).toBeLessThan(1e-6);
      });
    }
  });

  test('an f16 decoder differs by half precision, and its logits are float32', async () => {
    const checkpoint = randomLlama();
    const { graph } = decoderGraph({ checkpoint, architecture: architectureFor(checkpoint) }, { dataType: 'f16' });
    expect(graph.outputs.find(({ name }) => name === 'logits')?.dataType).toBe('float32');
    expect(graph.inputs.find(({ name }) => name.startsWith('past'))?.dataType).toBe('float16');
    using session = await compile(checkpoint, { dataType: 'f16' });
    const { logits } = await run(session, checkpoint, PROMPT, {}, 0, 0, 'float16');
    const reference = await referenceLogits(checkpoint, PROMPT);
    expect(largestDifference(logits, reference)).toBeLessThan(0.05);
  });

  test('has no cache for a layer without attention', () => {
    const checkpoint = randomLlama({
      widths: [
        { keyValueHeads: 0, neurons: 4 },
        { keyValueHeads: 1, neurons: 4 },
      ],
    });
    const { graph } = decoderGraph({ checkpoint, architecture: architectureFor(checkpoint) });
    const caches = graph.inputs.filter(({ name }) => name.startsWith('past'));
    expect(caches.map(({ name, shape }) => [name, shape[1]])).toEqual([
      ['past_key_values.1.key', 1],
      ['past_key_values.1.value', 1],
    ]);
  });

  test('refuses a model without any attention, and more positions than the model has', () => {
    const without = randomLlama({ widths: [{ keyValueHeads: 0, neurons: 4 }] });
    expect(() => decoderGraph({ checkpoint: without, architecture: architectureFor(without) })).toThrow(
      'No layer has a key/value head left',
    );
    const checkpoint = randomLlama();
    expect(() => decoderGraph({ checkpoint, architecture: architectureFor(checkpoint) }, { positions: 129 })).toThrow(
      '129 positions',
    );
  });

  test('projects query, key and value at once where attention rotates by itself', () => {
    const products = (headDimension: number) => {
      const checkpoint = randomLlama({ layers: 1, headDimension });
      const { graph } = decoderGraph({ checkpoint, architecture: architectureFor(checkpoint) });
      return graph.nodes.filter(({ operator }) => operator === 'MatMul').length;
    };
    expect(products(16)).toBe(5);
    expect(products(8)).toBe(7);
  });

  test('stores a tied embedding once', () => {
    const bytes = (tied: boolean) => {
      const checkpoint = randomLlama({ tied });
      return decoderGraph({ checkpoint, architecture: architectureFor(checkpoint) }).weights.byteLength;
    };
    expect(bytes(false) - bytes(true)).toBe(64 * 48 * 4);
  });
});

test('what was rounded for the file is known without rounding it again', async () => {
  const checkpoint = randomLlama({ hiddenSize: 64, widths: [{ keyValueHeads: 2, neurons: 40 }] });
  const tables = tensorsInTableBits(modelOf(checkpoint), 'q4');
  const { weights } = decoderGraph({ checkpoint, architecture: architectureFor(checkpoint) }, { dataType: 'q4' });
  const written = async (kept: QuantisedMatrices) => {
    for await (const _ of weights.chunks(checkpoint, kept));
    return kept;
  };
  const kept = await written(new QuantisedMatrices());
  const unread = { ...checkpoint, read: () => Promise.reject(new Error('rounded again')) };
  const known = roundedCheckpoint(unread, 'q4', tables, kept);
  const anew = roundedCheckpoint(checkpoint, 'q4', tables);
  for (const [name, { shape }] of checkpoint.tensors) {
    if (shape.length < 2) continue;
    expect(await known.read(name), name).toEqual(await anew.read(name));
    const rows = { start: 3, end: 9 };
    expect(await known.read(name, rows), name).toEqual(await anew.read(name, rows));
  }
  const without = roundedCheckpoint(unread, 'q4', tables, await written(new QuantisedMatrices(0)));
  await expect(without.read('model.layers.0.mlp.up_proj.weight')).rejects.toThrow('rounded again');
});
