import type { ValueInfo } from '../onnx/graph.ts';
import type { DeviceTensor, Runtime } from '../runtime/runtime.ts';

/** One key or value tensor of a decoder: [1, heads, length, headDimension]. */
export interface CacheSlot {
  /** Graph input, 'past_key_values.3.key'. */
  readonly past: string;
  /** Graph output, 'present.3.key'. */
  readonly present: string;
  readonly dataType: ValueInfo['dataType'];
  readonly heads: number;
  readonly headDimension: number;
}

type Tensors = Readonly<Record<string, DeviceTensor>>;

/** Keys and values of one sequence between runs. */
export interface KeyValueCache extends Disposable {
  /** Whether tokens at its end are dropped by not counting them. */
  readonly cutsFree: boolean;
  /** What the next run reads. */
  feeds(): Tensors;
  /** Where the next run writes; empty when it allocates. */
  targets(): Tensors;
  /** Takes what the run returned. */
  advance(outputs: Tensors): void;
  /** Keeps the present state, so that `rewind` can return to it. */
  mark(): void;
  /** Back to the marked state, or to the empty one. */
  rewind(): void;
}

/** Every run returns new, longer tensors. Works with any decoder; each token moves the whole cache. */
export function growingCache(runtime: Runtime, slots: readonly CacheSlot[]): KeyValueCache {
  type State = ReadonlyMap<string, DeviceTensor>;
  const empty: State = new Map(
    slots.map(({ past, dataType, heads, headDimension }) => [
      past,
      runtime.allocate(dataType, [1, heads, 0, headDimension]),
    ]),
  );
  let current = empty;
  let marked = empty;
  const free = (state: State) => {
    for (const tensor of state.values()) tensor.dispose();
  };
  const leave = () => {
    if (current !== marked) free(current);
  };
  return {
    cutsFree: false,
    feeds: () => Object.fromEntries(current),
    targets: () => ({}),
    advance(outputs) {
      leave();
      current = new Map(slots.map(({ past, present }) => [past, outputs[present] as DeviceTensor]));
    },
    mark() {
      if (current !== marked) free(marked);
      marked = current;
    },
    rewind() {
      leave();
      current = marked;
    },
    [Symbol.dispose]() {
      leave();
      free(marked);
    },
  };
}

/**
 * Allocated once at full length and written in place: past and present are the same memory, which GroupQueryAttention recognises and
 * then only writes the new positions. Needs a decoder whose attention is GroupQueryAttention throughout.
 */
export function fixedCache(runtime: Runtime, slots: readonly CacheSlot[], capacity: number): KeyValueCache {
  const tensors = slots.map(({ dataType, heads, headDimension }) =>
    runtime.allocate(dataType, [1, heads, capacity, headDimension]),
  );
  const under = (key: 'past' | 'present') =>
    Object.fromEntries(slots.map((slot, index) => [slot[key], tensors[index] as DeviceTensor]));
  const [pasts, presents] = [under('past'), under('present')];
  return {
    cutsFree: true,
    feeds: () => pasts,
    targets: () => presents,
    advance: () => undefined,
    // The owner counts the tokens; those beyond are written over.
    mark: () => undefined,
    rewind: () => undefined,
    [Symbol.dispose]() {
      for (const tensor of tensors) tensor.dispose();
    },
  };
}
