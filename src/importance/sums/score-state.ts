import { elementCount } from '../../arrays.ts';
import type { DeviceTensor, Runtime } from '../../runtime/runtime.ts';
import { elementsOf } from '../program/host-view.ts';
import type { LayerSums } from './layer-sums.ts';

/** A layer in the middle of its windows. */
export interface BegunLayer {
  /** Batches whose sums these are, and whose gradients have passed the layer. */
  readonly batches: number;
  readonly sums: LayerSums;
}

/** Scoring between two layers, or between two batches of one: all that a later run needs beside the model and the windows. Between layers it is small: sums per channel, and the gradient of one state. */
export interface ScoreState {
  /** Layers from this one on are scored. */
  readonly layer: number;
  /** What the layer below has summed so far, where it is not scored but begun. */
  readonly begun?: BegunLayer | undefined;
  readonly layers: readonly LayerSums[];
  /** Mean cross-entropy of each window, in nats. */
  readonly losses: readonly number[];
  /** Of the loss, with respect to the states that enter `layer`, or for the batches that have passed the layer below those that enter that one: [draws, windows, tokens, hiddenSize]. */
  readonly gradients: Float32Array;
}

/** The gradients of all batches in one piece. */
export async function gradientsOf(runtime: Runtime, batches: readonly DeviceTensor[]): Promise<Float32Array> {
  const all = new Float32Array(
    batches.reduce((sum, { byteLength }) => sum + byteLength / Float32Array.BYTES_PER_ELEMENT, 0),
  );
  let start = 0;
  for (const batch of batches) {
    const values = await elementsOf(runtime, batch);
    all.set(values, start);
    start += values.length;
  }
  return all;
}

/** The gradients of a state, batch by batch on the device; they become the caller's. */
export function gradientsFrom(
  runtime: Runtime,
  { gradients }: ScoreState,
  batches: readonly (readonly ArrayLike<number>[])[],
  hiddenSize: number,
): DeviceTensor[] {
  let start = 0;
  return batches.map((batch) => {
    const shape = [batch.length, batch[0]?.length ?? 0, hiddenSize];
    const end = start + elementCount(shape);
    const data = gradients.subarray(start, end);
    start = end;
    return runtime.upload({ dataType: 'float32', shape, data });
  });
}
