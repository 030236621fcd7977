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
  /** What the next run reads. */
  feeds(): Record<string, DeviceTensor>;
  /** Where the next run writes; empty when it allocates. */
  targets(): Record<string, DeviceTensor>;
  /** Takes what the run returned. */
  advance(outputs: Tensors): void;
}

/** Every run returns new, longer tensors. Works with any decoder; each token moves the whole cache. */
export function growingCache(runtime: Runtime, slots: readonly CacheSlot[]): KeyValueCache {
  let current = new Map(slots.map(({ past, dataType, heads, headDimension }) => [past, runtime.allocate(dataType, [1, heads, 0, headDimension])]));
  const free = () => {
    for (const tensor of current.values()) tensor.dispose();
  };
  return {
    feeds: () => Object.fromEntries(current),
    targets: () => ({}),
    advance(outputs) {
      free();
      current = new Map(slots.map(({ past, present }) => [past, outputs[present] as DeviceTensor]));
    },
    [Symbol.dispose]: free,
  };
}

/**
 * Allocated once at full length and written in place: past and present are the same memory, which GroupQueryAttention recognises and
 * then only writes the new positions. Needs a decoder whose attention is GroupQueryAttention throughout.
 */
export function fixedCache(runtime: Runtime, slots: readonly CacheSlot[], capacity: number): KeyValueCache {
  const tensors = slots.map(({ dataType, heads, headDimension }) => runtime.allocate(dataType, [1, heads, capacity, headDimension]));
  const under = (key: 'past' | 'present') => Object.fromEntries(slots.map((slot, index) => [slot[key], tensors[index] as DeviceTensor]));
  return {
    feeds: () => under('past'),
    targets: () => under('present'),
    advance: () => undefined,
    [Symbol.dispose]() {
      for (const tensor of tensors) tensor.dispose();
    },
  };
}
