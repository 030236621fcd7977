import type { DataType } from '../../onnx/graph.ts';
import type { HostTensor } from '../../runtime/runtime.ts';

/** Deterministic numbers in (-1, 1) for tests: mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * 2 - 1;
  };
}

/** A host tensor of a type that tests use. */
export function tensor(dataType: DataType, shape: readonly number[], values: readonly number[]): HostTensor {
  switch (dataType) {
    case 'float64':
      return { dataType, shape, data: Float64Array.from(values) };
    case 'int64':
      return { dataType, shape, data: BigInt64Array.from(values, (value) => BigInt(Math.trunc(value))) };
    case 'int32':
      return { dataType, shape, data: Int32Array.from(values) };
    case 'bool':
      return { dataType, shape, data: Uint8Array.from(values) };
    default:
      return { dataType: 'float32', shape, data: Float32Array.from(values) };
  }
}
