import { sha256OfBytes } from '../checkpoint/files/sha256.ts';
import { FileFormatError, UnsupportedError } from '../errors.ts';
import {
  decodeScoreState,
  encodeScoreState,
  type StateShape,
  stateBytes,
} from '../importance/files/score-state-file.ts';
import type { SumsInfo } from '../importance/files/sums-file.ts';
import type { ImportanceOptions } from '../importance/importance.ts';
import type { ScoreState } from '../importance/sums/score-state.ts';
import type { OpenModel } from './open-model.ts';
import { VERSION } from './version.ts';

/** Where a run that may be cancelled keeps what it has: one file, replaced whole. */
export interface ScoreStateStore {
  /** For messages. */
  readonly name: string;
  /** What was kept, or undefined. */
  load(): Promise<Uint8Array | undefined>;
  /** Keeps the state in place of the one before. */
  save(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Forgets it, when the scores are known. */
  clear(): Promise<void>;
  /** Milliseconds between two states within a layer, at least. Default 10,000: small models are done with a layer before. */
  readonly betweenStates?: number;
}

const BETWEEN_STATES = 10_000;
/** Saving may take one part in so many of the time. */
const SAVING_PART = 20;
/** Browsers and file systems take no more in one piece. */
const LARGEST_STATE = 2 ** 31 - 1;

/**
 * What lets `importance` go on from a stored state and store new ones. A state counts only if model, windows, settings, version, backend and precision are the same: the result is then that of
 * one run, bit for bit. One that is of another run, or damaged, is passed over and replaced. A state is stored after each layer, and where layers take long also after a batch of
 * windows: so rarely that a twentieth of the time goes into it at most.
 */
export async function resumable(
  open: OpenModel,
  windows: readonly ArrayLike<number>[],
  info: SumsInfo,
  store: ScoreStateStore,
): Promise<Pick<ImportanceOptions, 'resume' | 'onLayer' | 'onBatch'>> {
  const length = windows[0]?.length ?? 0;
  const ids = Int32Array.from(windows.flatMap((window) => Array.from(window)));
  const shape: StateShape = {
    info,
    run: JSON.stringify({
      model: info.model.sha256,
      widths: open.config.layerWidths,
      windows: [windows.length, length, await sha256OfBytes(new Uint8Array(ids.buffer))],
      metrics: info.metrics,
      objective: [info.calibration.objective, info.calibration.seed, info.draws],
      version: VERSION,
      engine: `${open.runtime.description}${info.engine.precision === 'f16' ? ', half precision' : ''}`,
    }),
    gradients: windows.length * length * open.config.hiddenSize,
  };
  let savedAt = performance.now();
  /** Milliseconds that the last state within a layer took. */
  let took = 0;
  const save = async (state: ScoreState) => {
    await store.save(encodeScoreState(shape, state));
    savedAt = performance.now();
  };
  return {
    resume: await load(store, shape),
    onLayer: async (state) => save(await state()),
    onBatch: async (state) => {
      const started = performance.now();
      if (started - savedAt < Math.max(store.betweenStates ?? BETWEEN_STATES, SAVING_PART * took)) return;
      try {
        const known = await state();
        if (stateBytes(shape, known) <= LARGEST_STATE) await save(known);
      } catch (error) {
        // No memory for a second copy of the sums: the last state stands.
        if (!(error instanceof RangeError)) throw error;
      }
      savedAt = performance.now();
      took = savedAt - started;
    },
  };
}

async function load(store: ScoreStateStore, shape: StateShape) {
  const bytes = await store.load();
  try {
    return bytes && (await decodeScoreState(bytes, shape, store.name));
  } catch (error) {
    if (error instanceof FileFormatError || error instanceof UnsupportedError) return undefined;
    throw error;
  }
}
