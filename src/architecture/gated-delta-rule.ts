import type { GraphBuilder } from '../onnx/builder.ts';

/** Tokens whose updates of the state are solved at once. */
export const CHUNK = 64;
/** Doublings of the span of chunks over which states are carried on. */
const SPANS = 6;
/** The longest window that the chunked form carries a state through. */
export const LONGEST_RECURRENCE = CHUNK * 2 ** SPANS;
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
 * does; from one to the next the state goes by S' = T S + B, and the states before all chunks are found by doubling spans. All of it is products of matrices that every
 * backend has and that are differentiated as they are.
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
  const state = statesBefore(builder, transition, matmul(toEnd, values));
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

/** The state before each chunk, [batch, heads, chunks, keyDimension, valueDimension], where a chunk makes T S + B of S and the first is 0. */
function statesBefore(builder: GraphBuilder, transition: string, addition: string): string {
  let through = delayed(builder, transition, 1);
  let state = delayed(builder, addition, 1);
  for (let span = 1; span < 2 ** SPANS; span *= 2) {
    const earlier = delayed(builder, state, span);
    state = builder.add('Add', [builder.add('MatMul', [through, earlier]), state]);
    // What lies before the first chunk is 0, so that its transition may be too.
    if (2 * span < 2 ** SPANS) through = builder.add('MatMul', [through, delayed(builder, through, span)]);
  }
  return state;
}

/** Of each chunk what the one `count` before has; zeros before the first. */
function delayed(builder: GraphBuilder, value: string, count: number): string {
  const zeros = builder.add('Expand', [
    builder.constant([0]),
    joined(builder, sizeOf(builder, value, 0, 2), builder.integers([count]), sizeOf(builder, value, 3, 5)),
  ]);
  return firstTokens(builder, builder.add('Concat', [zeros, value], { axis: 2 }), sizeOf(builder, value, 2));
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
