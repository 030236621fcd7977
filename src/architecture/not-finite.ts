import { findNotFinite } from '../checkpoint/finite.ts';
import { DeviceError, HalfPrecisionError } from '../errors.ts';
import type { DeviceTensor } from '../runtime/runtime.ts';
import { isRemoved, rowChunks } from './forward.ts';
import type { Programs } from './programs.ts';
import type { WeightStore } from './weight-store.ts';

/** Beyond 2^57 the squares of as many channels as models have no longer add up in single precision: norms would make zeros of them without a word. */
const LARGEST_STATE = 2 ** 57;

/** Place of the first value that is no number or too large for a norm, or -1. */
export function findBeyond(values: Float32Array): number {
  // Not "greater than", so that NaN is found.
  for (let at = 0; at < values.length; at++) if (!(Math.abs(values[at] as number) <= LARGEST_STATE)) return at;
  return -1;
}

/**
 * Throws DeviceError where the loss of one of `windows`, or one of the `states` [windows, tokens, hiddenSize] after the last block, is no number to compute with:
 * computes that window again, layer by layer, and names the first output that has such a value. Weights are checked when they are read, so that it comes from
 * computing.
 */
export async function checkComputed(
  programs: Programs,
  store: WeightStore,
  windows: readonly ArrayLike<number>[],
  losses: ArrayLike<number>,
  states: Float32Array = new Float32Array(),
): Promise<void> {
  const beyond = findBeyond(states);
  const index =
    beyond >= 0
      ? Math.floor((beyond * windows.length) / states.length)
      : Array.from(losses).findIndex((loss) => !Number.isFinite(loss));
  const window = windows[index];
  if (!window) return;
  const { backend } = programs.runtime;
  const where = `The loss of a window cannot be told: ${await firstNotFinite(programs, store, window)} All weights are finite, so it grew beyond what`;
  if (programs.precision === 'f16')
    throw new HalfPrecisionError(
      `${where} half precision holds (65,504), on the backend ${backend}. Score in single precision (--precision f32).`,
    );
  const remedy =
    backend === 'webgpu'
      ? 'Try another backend (cpu or wasm).'
      : 'Take another copy of the model: trained weights do not do this.';
  throw new DeviceError(`${where} single precision computes with, on the backend ${backend}. ${remedy}`);
}

async function firstNotFinite(programs: Programs, store: WeightStore, window: ArrayLike<number>): Promise<string> {
  const { config } = store.model.architecture;
  let hidden: DeviceTensor;
  {
    using weights = await store.lease('embed');
    hidden = await programs.embed(weights, [window]);
  }
  try {
    for (let layer = -1; layer < config.layers; layer++) {
      if (layer >= 0) {
        if (isRemoved(store, layer)) continue;
        using weights = await store.lease(layer);
        const output = await programs.block(weights, hidden, layer);
        hidden.dispose();
        hidden = output;
      }
      const values = (await programs.readStates(hidden)).data as Float32Array;
      const at = findBeyond(values);
      if (at >= 0)
        return `the output of ${layer < 0 ? 'the embedding' : `layer ${layer}`} is ${values[at]} at token ${Math.floor(at / config.hiddenSize)}, channel ${at % config.hiddenSize}.`;
    }
    using weights = await store.lease('head');
    for (const { start, chunk } of rowChunks(await programs.readStates(hidden), 16)) {
      const logits = await programs.logits(weights, chunk);
      const at = findNotFinite(logits);
      if (at >= 0)
        return `the logit of token id ${at % config.vocabulary} after token ${start + Math.floor(at / config.vocabulary)} is ${logits[at]}.`;
    }
    return 'computed again, it is a number.';
  } finally {
    hidden.dispose();
  }
}
