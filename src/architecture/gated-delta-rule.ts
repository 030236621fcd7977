import type { GraphBuilder } from '../onnx/builder.ts';

/** Tokens whose updates of the state are solved at once. */
export const CHUNK = 64;
/** How often chunks are put in twos until one is left. */
const SPANS = 6;
/** The longest window that the chunked form carries a state through. */
export const LONGEST_RECURRENCE = CHUNK * 2 ** SPANS;
/** Tokens for the analysis of a graph: of no twos is only one left there, and with a few tokens more there are more of them everywhere. */
export const EXAMPLE_TOKENS = 2 * LONGEST_RECURRENCE;
/** Added to exponents of what is not to count. */
const NEVER = -1e9;

/** What the gated delta rule reads; `tokens` may be any number up to `LONGEST_RECURRENCE`. */
export interface DeltaRuleInputs {
  /** [batch, heads, tokens, keyDimension], of length one and scaled. */
  readonly query: string;
  /** [batch, heads, tokens, keyDimension], of length one. */
  readonly key: string;
  /** [batch, heads, tokens, valueDimension] */
  readonly value: string;
  /** [batch, heads, tokens, 1]: the logarithm of the share of the state that stays, at most 0. */
  readonly decay: string;
  /** [batch, heads, tokens, 1]: how much of the new value is written, 0 to 1. */
  readonly write: string;
  readonly keyDimension: number;
  readonly valueDimension: number;
}

/**
 * The gated delta rule (Yang et al., arXiv 2412.06464): S_t = exp(g_t) S_{t-1} + b_t k_t (v_t - exp(g_t) S_{t-1}^T k_t)^T with S_0 = 0, o_t = S_t^T q_t. Returns o [batch, heads, tokens, valueDimension].
 *
 * In chunks (their section 3.3): within one, the updates are a triangular system (I + A) U = b v, whose inverse is made by doubling blocks, X - X (M * A) X, which loses no more than substitution
 * does; from one to the next the state goes by S' = T S + B, and the states before all chunks are found from those before two, four, … of them. All of it is products of matrices
 * that every backend has and that are differentiated as they are.
 */
export function gatedDeltaRule(builder: GraphBuilder, inputs: DeltaRuleInputs): string {
  const { keyDimension, valueDimension } = inputs;
  const mul = (a: string, b: string) => builder.add('Mul', [a, b]);
  const sub = (a: string, b: string) => builder.add('Sub', [a, b]);
  const matmul = (a: string, b: string) => builder.add('MatMul', [a, b]);
  const exp = (a: string) => builder.add('Exp', [a]);
  const swapped = (a: string) => builder.add('Transpose', [a], { perm: [0, 1, 2, 4, 3] });
  const chunked = (value: string, columns: number) => chunksOf(builder, value, columns);

  const query = chunked(inputs.query, keyDimension);
  const key = chunked(inputs.key, keyDimension);
  const write = chunked(inputs.write, 1);
  const keyT = swapped(key);
  const written = mul(key, write);
  // Logarithms of what is left of the chunk's first state at each of its tokens: [batch, heads, chunks, CHUNK, 1].
  const left = matmul(
    table(builder, (row, column) => (column <= row ? 1 : 0)),
    chunked(inputs.decay, 1),
  );
  const between = exp(
    builder.add('Add', [sub(left, swapped(left)), table(builder, (row, column) => (column <= row ? 0 : NEVER))]),
  );
  const inverse = invertedUnitTriangle(builder, mul(matmul(written, keyT), between));
  const remaining = exp(left);
  const values = matmul(inverse, mul(chunked(inputs.value, valueDimension), write));
  const reads = matmul(inverse, mul(written, remaining));

  const last = builder.add('Slice', [
    left,
    builder.integers([CHUNK - 1]),
    builder.integers([CHUNK]),
    builder.integers([3]),
  ]);
  const toEnd = swapped(mul(key, exp(sub(last, left))));
  const transition = sub(mul(exp(last), identity(builder, keyDimension)), matmul(toEnd, reads));
  const state = statesBefore(builder, transition, matmul(toEnd, values), inputs);
  const fresh = sub(values, matmul(reads, state));
  const output = builder.add('Add', [
    matmul(mul(query, remaining), state),
    matmul(mul(matmul(query, keyT), between), fresh),
  ]);
  const joined = builder.add('Reshape', [output, builder.integers([0, 0, -1, valueDimension])]);
  return firstTokens(builder, joined, sizeOf(builder, inputs.query, 2));
}

/** [batch, heads, tokens, columns] -> [batch, heads, chunks, CHUNK, columns], zeros behind the last token. */
function chunksOf(builder: GraphBuilder, value: string, columns: number): string {
  // One token less than a chunk is added, and what is beyond the last whole chunk is cut off: no tensor is ever empty.
  const zeros = builder.add('Expand', [
    builder.constant([0]),
    joined(builder, sizeOf(builder, value, 0, 2), builder.integers([CHUNK - 1, columns])),
  ]);
  const padded = builder.add('Concat', [value, zeros], { axis: 2 });
  const size = builder.integers([CHUNK]);
  const whole = builder.add('Mul', [builder.add('Div', [sizeOf(builder, padded, 2), size]), size]);
  return builder.add('Reshape', [firstTokens(builder, padded, whole), builder.integers([0, 0, -1, CHUNK, columns])]);
}

/** (I + A)^-1 of the part below the diagonal of A [.., CHUNK, CHUNK]: the inverses of two neighbouring blocks give that of both. */
function invertedUnitTriangle(builder: GraphBuilder, matrix: string): string {
  const below = (size: number) =>
    builder.add('Mul', [
      matrix,
      table(builder, (row, column) => {
        const isPair = Math.floor(row / (2 * size)) === Math.floor(column / (2 * size));
        return isPair && row % (2 * size) >= size && column % (2 * size) < size ? 1 : 0;
      }),
    ]);
  let inverse = builder.add('Sub', [identity(builder, CHUNK), below(1)]);
  for (let size = 2; size < CHUNK; size *= 2) {
    const corner = builder.add('MatMul', [builder.add('MatMul', [inverse, below(size)]), inverse]);
    inverse = builder.add('Sub', [inverse, corner]);
  }
  return inverse;
}

/**
 * The state before each chunk, [batch, heads, chunks, keyDimension, valueDimension], where a chunk makes T S + B of S and the first is 0: two neighbours are one chunk of twice the length, whose
 * state before gives that of both.
 */
function statesBefore(
  builder: GraphBuilder,
  transition: string,
  addition: string,
  sizes: Pick<DeltaRuleInputs, 'keyDimension' | 'valueDimension'>,
  level = 0,
): string {
  const { keyDimension, valueDimension } = sizes;
  const matmul = (a: string, b: string) => builder.add('MatMul', [a, b]);
  const add = (a: string, b: string) => builder.add('Add', [a, b]);
  const [first = '', second = ''] = pairs(builder, transition, keyDimension, keyDimension);
  const [firstAddition = '', secondAddition = ''] = pairs(builder, addition, keyDimension, valueDimension);
  const before =
    level === SPANS - 1
      ? builder.add('Expand', [builder.constant([0]), builder.add('Shape', [firstAddition])])
      : statesBefore(
          builder,
          matmul(second, first),
          add(matmul(second, firstAddition), secondAddition),
          sizes,
          level + 1,
        );
  const between = add(matmul(first, before), firstAddition);
  const both = builder.add('Concat', [before, between], { axis: 3 });
  const all = builder.add('Reshape', [both, builder.integers([0, 0, -1, keyDimension, valueDimension])]);
  return firstTokens(builder, all, sizeOf(builder, addition, 2));
}

/** Matrices [batch, heads, count, rows, columns] in twos: the first and the second of each, [batch, heads, count / 2 rounded up, rows, columns]. */
function pairs(builder: GraphBuilder, value: string, rows: number, columns: number): string[] {
  const zeros = builder.add('Expand', [
    builder.constant([0]),
    joined(builder, sizeOf(builder, value, 0, 2), builder.integers([1, rows, columns])),
  ]);
  const padded = builder.add('Concat', [value, zeros], { axis: 2 });
  const two = builder.integers([2]);
  const even = builder.add('Mul', [builder.add('Div', [sizeOf(builder, padded, 2), two]), two]);
  // A pair is one matrix on the other, which is how they lie in memory.
  const stacked = builder.add('Reshape', [
    firstTokens(builder, padded, even),
    builder.integers([0, 0, -1, 2 * rows, columns]),
  ]);
  return builder.addMany('Split', [stacked, builder.integers([rows, rows])], 2, { axis: 3 });
}

/** The first `count` (int64 [1]) entries of axis 2. */
function firstTokens(builder: GraphBuilder, value: string, count: string): string {
  return builder.add('Slice', [value, builder.integers([0]), count, builder.integers([2])]);
}

function sizeOf(builder: GraphBuilder, value: string, start: number, end = start + 1): string {
  return builder.add('Shape', [value], { start, end });
}

function joined(builder: GraphBuilder, ...parts: string[]): string {
  return builder.add('Concat', parts, { axis: 0 });
}

/** A constant [CHUNK, CHUNK]. */
function table(builder: GraphBuilder, entry: (row: number, column: number) => number): string {
  const values = Array.from({ length: CHUNK * CHUNK }, (_, index) => entry(Math.floor(index / CHUNK), index % CHUNK));
  return builder.constant(values, [CHUNK, CHUNK]);
}

function identity(builder: GraphBuilder, size: number): string {
  const values = Array.from({ length: size * size }, (_, index) => (index % (size + 1) === 0 ? 1 : 0));
  return builder.constant(values, [size, size]);
}
