import { headRows, nextTokenTargets, rowChunks } from '../../architecture/forward.ts';
import { type Programs, singleOutput } from '../../architecture/programs.ts';
import type { WeightStore } from '../../architecture/weight-store.ts';
import type { LongRunning } from '../../progress.ts';
import { visitFinalStates } from '../final-states.ts';
import { checkWindows } from '../token-windows.ts';
import { chosenGraph } from './divergence-graph.ts';

/** Tokens whose probabilities are kept at each position, unless another number is asked for. */
const TOP_TOKENS = 64;

/** Probabilities below are not told from none: the rest of a distribution is what is missing to 1, in float32. */
const SMALLEST_REST = 1e-7;

/**
 * What a teacher says on some windows: at each position its most probable tokens and their log-probabilities, all others taken as one. Computed once and kept: with 64 tokens 512 bytes a position.
 * KL against it is a lower bound of KL over the whole vocabulary, close where the rest is small.
 */
export interface Teacher {
  /** The windows that it was run on. */
  readonly windows: readonly ArrayLike<number>[];
  /** Tokens kept of each position. */
  readonly top: number;
  /** By position of all windows in order, `top` each: token ids by falling probability, and log-probabilities in nats. */
  readonly tokens: Int32Array;
  /** Of the dense model at every position of a window. */
  readonly logProbabilities: Float32Array;
}

/** Runs a model over windows and keeps what it says. Throws what `checkWindows` throws. */
export async function teach(
  programs: Programs,
  store: WeightStore,
  windows: readonly ArrayLike<number>[],
  { top: asked = TOP_TOKENS, ...options }: LongRunning & { readonly top?: number } = {},
): Promise<Teacher> {
  const { vocabulary } = store.model.architecture.config;
  const length = checkWindows(windows, vocabulary);
  const top = Math.min(asked, vocabulary);
  const tokens = new Int32Array(windows.length * length * top);
  const logProbabilities = new Float32Array(tokens.length);
  await visitFinalStates(programs, store, windows, { ...options, stage: 'teacher' }, async (states) => {
    using weights = await store.lease('head');
    const { targets } = nextTokenTargets(states.windows);
    for (const { start, chunk } of rowChunks(states.hidden, headRows(vocabulary))) {
      const rows = chunk.shape[0] ?? 0;
      const { probabilities } = await programs.probabilities(weights, chunk, targets.subarray(start, start + rows));
      for (let row = 0; row < rows; row++) {
        const at = (states.first * length + start + row) * top;
        const own = probabilities.subarray(row * vocabulary, (row + 1) * vocabulary);
        for (const [place, token] of mostProbable(own, top).entries()) {
          tokens[at + place] = token;
          logProbabilities[at + place] = Math.log(Math.max(own[token] as number, Number.MIN_VALUE));
        }
      }
    }
  });
  return { windows, top, tokens, logProbabilities };
}

/** The `count` largest, from the largest on; the earlier of equal ones first. */
export function mostProbable(values: Float32Array, count: number): number[] {
  // A heap whose root is the least of those that are kept.
  const heap: number[] = [];
  const below = (a: number, b: number) => {
    const [x, y] = [values[a] as number, values[b] as number];
    return x < y || (x === y && a > b);
  };
  const sink = (start: number) => {
    for (let parent = start; ; ) {
      let least = parent;
      for (const child of [2 * parent + 1, 2 * parent + 2])
        if (child < heap.length && below(heap[child] as number, heap[least] as number)) least = child;
      if (least === parent) return;
      [heap[parent], heap[least]] = [heap[least] as number, heap[parent] as number];
      parent = least;
    }
  };
  for (let index = 0; index < values.length; index++) {
    if (heap.length < count) {
      heap.push(index);
      if (heap.length === count) for (let parent = (count >> 1) - 1; parent >= 0; parent--) sink(parent);
    } else if (below(heap[0] as number, index)) {
      heap[0] = index;
      sink(0);
    }
  }
  return heap.sort((a, b) => (below(a, b) ? 1 : -1));
}

/** Mean KL from a teacher to a model over the predictions of its windows, in nats; that of each window. Forward passes only. */
export async function divergenceFrom(
  programs: Programs,
  store: WeightStore,
  teacher: Teacher,
  options: LongRunning = {},
): Promise<{ readonly klDivergence: number; readonly windowDivergences: readonly number[] }> {
  const { vocabulary } = store.model.architecture.config;
  const { windows, top } = teacher;
  const length = windows[0]?.length ?? 1;
  const session = await programs.session('chosen tokens', () => chosenGraph(vocabulary));
  const sums = new Float64Array(windows.length);
  await visitFinalStates(programs, store, windows, { ...options, stage: 'measuring' }, async (states) => {
    using weights = await store.lease('head');
    for (const { start, chunk } of rowChunks(states.hidden, headRows(vocabulary))) {
      const rows = chunk.shape[0] ?? 0;
      const first = states.first * length + start;
      using logits = await programs.deviceLogits(weights, chunk);
      const ids = BigInt64Array.from(teacher.tokens.subarray(first * top, (first + rows) * top), BigInt);
      using tokens = programs.runtime.upload({ dataType: 'int64', shape: [rows, top], data: ids });
      using output = singleOutput(await session.run({ logits, tokens }), 'chosen');
      const chosen = (await programs.runtime.read(output)).data as Float32Array;
      for (let row = 0; row < rows; row++) {
        const window = Math.floor((first + row) / length);
        if ((first + row) % length === length - 1) continue;
        const own = Float64Array.from(chosen.subarray(row * top, (row + 1) * top), Math.exp);
        sums[window] = (sums[window] ?? 0) + rowDivergence(teacher, first + row, own).divergence;
      }
    }
  });
  const windowDivergences = Array.from(sums, (sum) => sum / (length - 1));
  return {
    klDivergence: windowDivergences.reduce((sum, value) => sum + value, 0) / windows.length,
    windowDivergences,
  };
}

/** KL at one position, from the model's probabilities of the teacher's tokens; and both's probability of the rest. */
function rowDivergence(
  { top, logProbabilities }: Teacher,
  position: number,
  own: ArrayLike<number>,
): { readonly divergence: number; readonly rest: number; readonly ownRest: number } {
  let [divergence, rest, ownRest] = [0, 1, 1];
  for (let place = 0; place < top; place++) {
    const log = logProbabilities[position * top + place] as number;
    const [chance, model] = [Math.exp(log), Math.max(own[place] as number, Number.MIN_VALUE)];
    divergence += chance * (log - Math.log(model));
    rest -= chance;
    ownRest -= own[place] as number;
  }
  rest = Math.max(rest, SMALLEST_REST);
  ownRest = Math.max(ownRest, SMALLEST_REST);
  return { divergence: divergence + rest * Math.log(rest / ownRest), rest, ownRest };
}

/**
 * Turns a model's probabilities [vocabulary] at one position into the gradient of `weight` times KL from the teacher with respect to its logits, in place, and returns KL there in nats.
 * With p the teacher's and q the model's probability of a token or of the rest R: q_i - p_i for a token that is kept, q_i (1 - p_R / q_R) for any other.
 */
export function teacherGradient(
  teacher: Teacher,
  position: number,
  probabilities: Float32Array,
  weight: number,
): number {
  const { top, tokens, logProbabilities } = teacher;
  const at = position * top;
  const own = Float64Array.from(tokens.subarray(at, at + top), (token) => probabilities[token] as number);
  const { divergence, rest, ownRest } = rowDivergence(teacher, position, own);
  const others = top < probabilities.length ? weight * (1 - rest / ownRest) : 0;
  for (let token = 0; token < probabilities.length; token++)
    probabilities[token] = (probabilities[token] as number) * others;
  for (let place = 0; place < top; place++)
    probabilities[tokens[at + place] as number] =
      weight * ((own[place] as number) - Math.exp(logProbabilities[at + place] as number));
  return divergence;
}
