import { headRows, rowChunks } from '../architecture/forward.ts';
import type { Programs } from '../architecture/programs.ts';
import type { DeviceWeights } from '../architecture/weights.ts';
import type { DeviceTensor, HostTensor } from '../runtime/runtime.ts';
import { distilledGradient } from './distillation.ts';
import type { TrainingBatch } from './training-windows.ts';

/** Losses in nats of a batch's learnt predictions, summed, from the states after the last block. */
export async function lossOf(
  programs: Programs,
  head: DeviceWeights,
  states: DeviceTensor,
  batch: TrainingBatch,
): Promise<number> {
  const { picked, targets } = pickRows(await programs.runtime.read(states), batch);
  let sum = 0;
  for (const { start, chunk } of rowChunks(picked, headRows(programs.architecture.config.vocabulary))) {
    for (const loss of await programs.losses(head, chunk, targets.subarray(start, start + (chunk.shape[0] ?? 0))))
      sum += loss;
  }
  return sum;
}

/**
 * The same, and the gradient of `weight` times that sum with respect to the states, owned by the caller. Only the rows that are learnt go through
 * the head, so that a long prompt costs nothing there.
 */
export async function lossGradientOf(
  programs: Programs,
  head: DeviceWeights,
  states: DeviceTensor,
  batch: TrainingBatch,
  weight: number,
): Promise<{ readonly loss: number; readonly gradient: DeviceTensor }> {
  const hidden = await programs.runtime.read(states);
  const { picked, targets } = pickRows(hidden, batch);
  const hiddenSize = hidden.shape.at(-1) ?? 1;
  const gradient = new Float32Array(hidden.data.length);
  let loss = 0;
  for (const { start, chunk } of rowChunks(picked, headRows(programs.architecture.config.vocabulary))) {
    const rows = chunk.shape[0] ?? 0;
    const part = await chunkGradient(programs, head, chunk, targets, start, batch.taught, weight);
    for (let row = 0; row < rows; row++) {
      loss += part.losses[row] as number;
      gradient.set(
        part.gradient.subarray(row * hiddenSize, (row + 1) * hiddenSize),
        (batch.rows[start + row] as number) * hiddenSize,
      );
    }
  }
  return { loss, gradient: programs.runtime.upload({ dataType: 'float32', shape: hidden.shape, data: gradient }) };
}

/** Losses of the rows of a chunk, and the gradient of `weight` times their sum with respect to it. */
async function chunkGradient(
  programs: Programs,
  head: DeviceWeights,
  chunk: HostTensor,
  allTargets: BigInt64Array,
  start: number,
  taught: TrainingBatch['taught'],
  weight: number,
): Promise<{ readonly losses: ArrayLike<number>; readonly gradient: Float32Array }> {
  const rows = chunk.shape[0] ?? 0;
  const targets = allTargets.subarray(start, start + rows);
  if (!taught) return programs.lossGradient(head, chunk, targets, new Float32Array(rows).fill(weight));
  const { losses, probabilities } = await programs.probabilities(head, chunk, targets);
  const width = probabilities.length / rows;
  const found = Float64Array.from({ length: rows }, (_, row) =>
    distilledGradient(taught, start + row, probabilities.subarray(row * width, (row + 1) * width), weight, {
      target: Number(targets[row]),
      crossEntropy: losses[row] as number,
    }),
  );
  return { losses: found, gradient: await programs.logitsBackward(head, chunk, probabilities) };
}

function pickRows(
  hidden: HostTensor,
  { rows, targets }: TrainingBatch,
): { readonly picked: HostTensor; readonly targets: BigInt64Array } {
  const hiddenSize = hidden.shape.at(-1) ?? 1;
  const data = new Float32Array(rows.length * hiddenSize);
  const source = hidden.data as Float32Array;
  for (const [index, row] of rows.entries())
    data.set(source.subarray(row * hiddenSize, (row + 1) * hiddenSize), index * hiddenSize);
  return {
    picked: { dataType: 'float32', shape: [rows.length, hiddenSize], data },
    targets: BigInt64Array.from(rows, (row) => targets[row] ?? 0n),
  };
}
