import { sha256OfBytes } from '../checkpoint/sha256.ts';
import { FileFormatError, UnsupportedError } from '../errors.ts';
import type { ImportanceOptions } from '../saap/importance.ts';
import { decodeScoreState, encodeScoreState, type StateShape } from '../saap/score-state-file.ts';
import type { OpenModel } from './open-model.ts';
import { VERSION } from './version.ts';

/** Where a run that may be cancelled keeps what it has, layer by layer: one file, replaced whole. */
export interface ScoreStateStore {
  /** For messages. */
  readonly name: string;
  load(): Promise<Uint8Array | undefined>;
  save(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  clear(): Promise<void>;
}

/**
 * What lets `importance` go on from a stored state and store new ones. A state counts only if model, windows, settings, version and backend are the same: the result is then that of
 * one run, bit for bit. One that is of another run, or damaged, is passed over and replaced.
 */
export async function resumable(
  open: OpenModel,
  windows: readonly ArrayLike<number>[],
  elements: boolean,
  store: ScoreStateStore,
): Promise<Pick<ImportanceOptions, 'resume' | 'onLayer'>> {
  const length = windows[0]?.length ?? 0;
  const ids = Int32Array.from(windows.flatMap((window) => Array.from(window)));
  const shape: StateShape = {
    run: JSON.stringify({
      model: await open.model.checkpoint.sha256(),
      widths: open.config.layerWidths,
      windows: [windows.length, length, await sha256OfBytes(new Uint8Array(ids.buffer))],
      elements,
      version: VERSION,
      engine: open.runtime.description,
    }),
    windows: windows.length,
    gradients: windows.length * length * open.config.hiddenSize,
    groups: open.layerGroups(),
  };
  return {
    resume: await load(store, shape),
    onLayer: async (state) => store.save(encodeScoreState(shape, await state())),
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
