import { elementCount } from '../arrays.ts';
import type { ValueInfo } from '../onnx/graph.ts';
import type { DeviceTensor, Runtime } from '../runtime/runtime.ts';

/** One key or value tensor of a decoder: [sequences, heads, length, headDimension]. */
export interface CacheSlot {
  /** Graph input, 'past_key_values.3.key'. */
  readonly past: string;
  /** Graph output, 'present.3.key'. */
  readonly present: string;
  readonly dataType: ValueInfo['dataType'];
  readonly heads: number;
  readonly headDimension: number;
}

/** State of a layer that does not grow with the sequence, and that every run replaces: the last inputs of a convolution. */
export interface StateSlot {
  /** Graph input, 'past_conv.3'. */
  readonly past: string;
  /** Graph output, 'present_conv.3'. */
  readonly present: string;
  readonly dataType: ValueInfo['dataType'];
  /** Of one sequence, its batch of 1 included. */
  readonly shape: readonly number[];
}

type Tensors = Readonly<Record<string, DeviceTensor>>;

/** Keys, values and states of one sequence, or of several equally long ones, between runs. */
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
export function growingCache(runtime: Runtime, slots: readonly CacheSlot[], sequences = 1): KeyValueCache {
  return replacedCache(slots, ({ dataType, heads, headDimension }) =>
    runtime.allocate(dataType, [sequences, heads, 0, headDimension]),
  );
}

/** States that are zero before the first token; every run returns new ones of the same size. */
export function stateCache(runtime: Runtime, slots: readonly StateSlot[], sequences = 1): KeyValueCache {
  return replacedCache(slots, ({ dataType, shape: [, ...sizes] }) => {
    const shape = [sequences, ...sizes];
    const size = elementCount(shape);
    const data = dataType === 'float16' ? new Uint16Array(size) : new Float32Array(size);
    return runtime.upload({ dataType, shape, data });
  });
}

function replacedCache<Slot extends Pick<CacheSlot, 'past' | 'present'>>(
  slots: readonly Slot[],
  first: (slot: Slot) => DeviceTensor,
): KeyValueCache {
  type State = ReadonlyMap<string, DeviceTensor>;
  const empty: State = new Map(slots.map((slot) => [slot.past, first(slot)]));
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

/** Several caches as one. */
export function joinedCaches(caches: readonly KeyValueCache[]): KeyValueCache {
  const each = (action: (cache: KeyValueCache) => void) => () => {
    for (const cache of caches) action(cache);
  };
  const all = (tensors: (cache: KeyValueCache) => Tensors): Tensors => Object.assign({}, ...caches.map(tensors));
  return {
    cutsFree: caches.every(({ cutsFree }) => cutsFree),
    feeds: () => all((cache) => cache.feeds()),
    targets: () => all((cache) => cache.targets()),
    advance: (outputs) => each((cache) => cache.advance(outputs))(),
    mark: each((cache) => cache.mark()),
    rewind: each((cache) => cache.rewind()),
    [Symbol.dispose]: each((cache) => cache[Symbol.dispose]()),
  };
}

/**
 * Allocated once at full length and written in place: past and present are the same memory, which GroupQueryAttention recognises and
 * then only writes the new positions. Needs a decoder whose attention is GroupQueryAttention throughout.
 */
export function fixedCache(
  runtime: Runtime,
  slots: readonly CacheSlot[],
  capacity: number,
  sequences = 1,
): KeyValueCache {
  const tensors = slots.map(({ dataType, heads, headDimension }) =>
    runtime.allocate(dataType, [sequences, heads, capacity, headDimension]),
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
