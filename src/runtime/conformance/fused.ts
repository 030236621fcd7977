import { float, GraphBuilder } from '../../onnx/builder.ts';
import type { HostTensor, Runtime } from '../runtime.ts';
import {
  assert,
  assertClose,
  type ConformanceCase,
  evaluate,
  evaluateOne,
  floats,
  found,
  numbers,
  randomTensor,
  randomValues,
} from './case.ts';
import { inverseRootMeanSquare, mapRows, matrix, product, softmax, transposed } from './reference.ts';

const MICROSOFT = { domain: 'com.microsoft' };

/** Sizes of the attention cases: `past` positions are in the cache, `tokens` are new. */
const ATTENTION = { queryHeads: 4, keyValueHeads: 2, headDimension: 16, past: 3, tokens: 2, capacity: 8 };

/** A vector turned by its position's angles, halves paired. */
function rotate(vector: readonly number[], cosine: readonly number[], sine: readonly number[]): number[] {
  const half = vector.length / 2;
  return vector.map((value, index) => {
    const angle = index % half;
    const partner = Number(vector[(index + half) % vector.length]);
    return value * Number(cosine[angle]) + (index < half ? -partner : partner) * Number(sine[angle]);
  });
}

const slice = (tensor: HostTensor, start: number, length: number): number[] =>
  numbers(tensor).slice(start, start + length);

/** Inputs of one decoding step, and what it must give: `output` [tokens, queryHeads * headDimension], keys and values [keyValueHeads, past + tokens, headDimension]. */
function attentionStep() {
  const { queryHeads, keyValueHeads, headDimension, past, tokens } = ATTENTION;
  const total = past + tokens;
  const half = headDimension / 2;
  const query = randomTensor([1, tokens, queryHeads * headDimension], 40);
  const key = randomTensor([1, tokens, keyValueHeads * headDimension], 41);
  const value = randomTensor([1, tokens, keyValueHeads * headDimension], 42);
  const pastKey = randomTensor([1, keyValueHeads, past, headDimension], 43);
  const pastValue = randomTensor([1, keyValueHeads, past, headDimension], 44);
  const angles = randomValues(16 * half, 45);
  const [cosine, sine] = [floats([16, half], angles.map(Math.cos)), floats([16, half], angles.map(Math.sin))];
  const rotated = (tensor: HostTensor, heads: number, token: number, head: number) =>
    rotate(
      slice(tensor, (token * heads + head) * headDimension, headDimension),
      slice(cosine, (past + token) * half, half),
      slice(sine, (past + token) * half, half),
    );
  const groups = Array.from({ length: keyValueHeads }, (_, group) => ({
    keys: Array.from({ length: total }, (_, at) =>
      at < past
        ? slice(pastKey, (group * past + at) * headDimension, headDimension)
        : rotated(key, keyValueHeads, at - past, group),
    ),
    values: Array.from({ length: total }, (_, at) =>
      at < past
        ? slice(pastValue, (group * past + at) * headDimension, headDimension)
        : slice(value, ((at - past) * keyValueHeads + group) * headDimension, headDimension),
    ),
  }));
  const dot = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, x, index) => sum + x * Number(b[index]), 0);
  const output = Array.from({ length: tokens }, (_, token) =>
    Array.from({ length: queryHeads }, (_, head) => {
      const group = groups[Math.floor(head / (queryHeads / keyValueHeads))];
      assert(group !== undefined, 'There is no such group.');
      const visible = past + token + 1;
      const turned = rotated(query, queryHeads, token, head);
      const weights = softmax(
        group.keys.slice(0, visible).map((candidate) => dot(turned, candidate) / Math.sqrt(headDimension)),
      );
      return Array.from({ length: headDimension }, (_, d) =>
        weights.reduce((sum, weight, at) => sum + weight * Number(group.values[at]?.[d]), 0),
      );
    }),
  ).flat(2);
  return {
    total,
    inputs: { query, key, value, cosine, sine },
    pastKey,
    pastValue,
    output,
    keys: groups.map(({ keys }) => keys),
    values: groups.map(({ values }) => values),
  };
}

function addAttention(builder: GraphBuilder): void {
  const { queryHeads, keyValueHeads, headDimension, tokens } = ATTENTION;
  const lengths = [
    builder.constant([ATTENTION.past + tokens - 1], [1], 'int32'),
    builder.constant([ATTENTION.past + tokens], [], 'int32'),
  ];
  const [output, key, value] = builder.addMany(
    'GroupQueryAttention',
    ['query', 'key', 'value', 'pastKey', 'pastValue', ...lengths, 'cosine', 'sine'],
    3,
    { num_heads: queryHeads, kv_num_heads: keyValueHeads, do_rotary: 1 },
    MICROSOFT,
  );
  builder.output(String(output), 'float32', [1, tokens, queryHeads * headDimension], 'output');
  builder.output(String(key), 'float32', [1, keyValueHeads, 'presentLength', headDimension], 'presentKey');
  builder.output(String(value), 'float32', [1, keyValueHeads, 'presentLength', headDimension], 'presentValue');
}

/** The first `length` positions of each head of a cache [1, heads, capacity, headDimension]. */
function firstPositions(cache: HostTensor, length: number): HostTensor {
  const [, heads, capacity, size] = cache.shape.map(Number) as [number, number, number, number];
  const values = Array.from({ length: heads }, (_, head) => slice(cache, head * capacity * size, length * size)).flat();
  return floats([1, heads, length, size], values);
}

async function runInPlace(runtime: Runtime): Promise<void> {
  const { keyValueHeads, headDimension, capacity, past, tokens, queryHeads } = ATTENTION;
  const step = attentionStep();
  const builder = new GraphBuilder('attention in place');
  for (const [name, tensor] of Object.entries(step.inputs)) builder.input(name, 'float32', tensor.shape);
  for (const name of ['pastKey', 'pastValue'])
    builder.input(name, 'float32', [1, keyValueHeads, 'pastLength', headDimension]);
  addAttention(builder);
  const spread = (tensor: HostTensor) =>
    floats(
      [1, keyValueHeads, capacity, headDimension],
      [0, 1].flatMap((head) => [
        ...slice(tensor, head * past * headDimension, past * headDimension),
        ...new Array((capacity - past) * headDimension).fill(0),
      ]),
    );
  using session = await runtime.createSession(builder.build());
  using keys = runtime.upload(spread(step.pastKey));
  using values = runtime.upload(spread(step.pastValue));
  const inputs = Object.fromEntries(
    Object.entries(step.inputs).map(([name, tensor]) => [name, runtime.upload(tensor)]),
  );
  const outputs = await session.run(
    { ...inputs, pastKey: keys, pastValue: values },
    { into: { presentKey: keys, presentValue: values } },
  );
  assertClose(
    await runtime.read(found(outputs, 'output')),
    [1, tokens, queryHeads * headDimension],
    step.output,
    'the attention',
  );
  assertClose(
    firstPositions(await runtime.read(keys), step.total),
    [1, keyValueHeads, step.total, headDimension],
    step.keys.flat(2),
    'the cached keys',
  );
  assertClose(
    firstPositions(await runtime.read(values), step.total),
    [1, keyValueHeads, step.total, headDimension],
    step.values.flat(2),
    'the cached values',
  );
  for (const tensor of [...Object.values(inputs), found(outputs, 'output')]) tensor.dispose();
}

/** Operators of ONNX Runtime that exported decoders use. */
export const FUSED_CASES: readonly ConformanceCase[] = [
  {
    name: 'GroupQueryAttention with a growing cache',
    async run(runtime) {
      const { tokens, queryHeads, keyValueHeads, headDimension } = ATTENTION;
      const step = attentionStep();
      const results = await evaluate(
        runtime,
        { ...step.inputs, pastKey: step.pastKey, pastValue: step.pastValue },
        addAttention,
      );
      assertClose(found(results, 'output'), [1, tokens, queryHeads * headDimension], step.output, 'the attention');
      assertClose(
        found(results, 'presentKey'),
        [1, keyValueHeads, step.total, headDimension],
        step.keys.flat(2),
        'the present keys',
      );
      assertClose(
        found(results, 'presentValue'),
        [1, keyValueHeads, step.total, headDimension],
        step.values.flat(2),
        'the present values',
      );
    },
  },
  { name: 'GroupQueryAttention with a fixed cache, written in place', run: runInPlace },
  {
    name: 'SkipSimplifiedLayerNormalization and its sum',
    async run(runtime) {
      const [x, skip, scale] = [randomTensor([2, 3, 32], 46), randomTensor([2, 3, 32], 47), randomTensor([32], 48)];
      const results = await evaluate(runtime, { x, skip, scale }, (builder) => {
        const outputs = ['normalised', '', '', 'sum'];
        builder.append({
          name: 'skip',
          operator: 'SkipSimplifiedLayerNormalization',
          ...MICROSOFT,
          inputs: ['x', 'skip', 'scale'],
          outputs,
          attributes: { epsilon: float(1e-5) },
        });
        for (const name of ['normalised', 'sum']) builder.output(name, 'float32', x.shape);
      });
      const sum = numbers(x).map((value, index) => value + Number(skip.data[index]));
      const normalised = mapRows(sum, 32, (row) =>
        row.map((value, index) => value * inverseRootMeanSquare(row, 1e-5) * Number(scale.data[index])),
      );
      assertClose(found(results, 'sum'), x.shape, sum, 'the sum');
      assertClose(found(results, 'normalised'), x.shape, normalised, 'the normalised rows');
    },
  },
  {
    name: 'RotaryEmbedding, halves paired',
    async run(runtime) {
      const [tokens, heads, size] = [3, 2, 8];
      const x = randomTensor([1, tokens, heads * size], 49);
      const angles = randomValues(10 * (size / 2), 50);
      const [cosine, sine] = [
        floats([10, size / 2], angles.map(Math.cos)),
        floats([10, size / 2], angles.map(Math.sin)),
      ];
      const positions = { dataType: 'int64', shape: [1, tokens], data: BigInt64Array.of(4n, 5n, 6n) } as const;
      const result = await evaluateOne(
        runtime,
        { x, positions, cosine, sine },
        (builder) =>
          builder.add('RotaryEmbedding', ['x', 'positions', 'cosine', 'sine'], { num_heads: heads }, MICROSOFT),
        { shape: x.shape },
      );
      const expected = Array.from({ length: tokens * heads }, (_, index) => {
        const row = (4 + Math.floor(index / heads)) * (size / 2);
        return rotate(slice(x, index * size, size), slice(cosine, row, size / 2), slice(sine, row, size / 2));
      }).flat();
      assertClose(result, x.shape, expected, 'the turned vectors');
    },
  },
  ...[4, 8].map(
    (bits): ConformanceCase => ({
      name: `MatMulNBits of ${bits} bits`,
      async run(runtime) {
        const [rows, inner, columns, block] = [5, 64, 24, 32];
        const x = randomTensor([rows, inner], 51);
        const blocks = inner / block;
        const codes = randomValues(columns * inner, 52).map((value) => Math.floor((value + 1) * 2 ** (bits - 1)));
        const scales = randomValues(columns * blocks, 53).map((value) => 0.1 + Math.abs(value));
        const packed =
          bits === 8
            ? codes
            : Array.from(
                { length: codes.length / 2 },
                (_, index) => Number(codes[2 * index]) | (Number(codes[2 * index + 1]) << 4),
              );
        const result = await evaluateOne(
          runtime,
          { x },
          (builder) => {
            const weight = builder.initializer('weight', {
              dataType: 'uint8',
              shape: [columns, blocks, (block * bits) / 8],
              contents: { kind: 'bytes', bytes: Uint8Array.from(packed) },
            });
            const scale = builder.constant(scales, [columns * blocks]);
            return builder.add(
              'MatMulNBits',
              ['x', weight, scale],
              { K: inner, N: columns, bits, block_size: block },
              MICROSOFT,
            );
          },
          { shape: [rows, columns] },
        );
        const weights = codes.map(
          (code, index) => (code - 2 ** (bits - 1)) * Math.fround(Number(scales[Math.floor(index / block)])),
        );
        const expected = product(
          matrix(x.data as Float32Array, rows, inner),
          transposed(matrix(weights, columns, inner)),
        );
        assertClose(result, [rows, columns], expected, 'the product');
      },
    }),
  ),
];
