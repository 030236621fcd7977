import { memorySource } from '../../checkpoint/files/memory.ts';
import { FileFormatError } from '../../errors.ts';
import type { ScoreState } from '../sums/score-state.ts';
import { layOutSums, openSumsFile, type SumsInfo, sumsContents, type Unfinished } from './sums-file.ts';

/** What a state must fit. */
export interface StateShape {
  readonly info: SumsInfo;
  /** The run that it belongs to, as text: everything that the result depends on. A state of another run is none. */
  readonly run: string;
  /** Numbers of its gradients. */
  readonly gradients: number;
}

/** Bytes of the file of a state. */
export function stateBytes(shape: StateShape, state: ScoreState): number {
  return layOutSums(shape.info, unfinishedOf(shape, state)).byteLength;
}

/** A state as a file of sums (`sums-file.ts`): the finished layers, the one that is begun, and the gradient from which the run goes on. */
export function encodeScoreState(shape: StateShape, state: ScoreState): Uint8Array<ArrayBuffer> {
  const { header, byteLength, places } = layOutSums(shape.info, unfinishedOf(shape, state));
  const file = new Uint8Array(byteLength);
  file.set(header);
  const layers = state.layers.map((sums, index) => [state.layer + index, sums] as const);
  if (state.begun) layers.push([state.layer - 1, state.begun.sums]);
  for (const [name, data] of sumsContents(shape.info, layers, state.losses, state.gradients)) {
    const place = places.get(name);
    // What a begun layer has beside its sums over windows is made again.
    if (place) file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), place.start);
  }
  return file;
}

/** The state in a file, or undefined where it is of another run. Throws FileFormatError naming `file` and what is wrong with it. */
export async function decodeScoreState(
  bytes: Uint8Array,
  shape: StateShape,
  file: string,
): Promise<ScoreState | undefined> {
  const { info, unfinished, ...sums } = await openSumsFile(memorySource(file, bytes));
  if (unfinished?.run !== shape.run) return undefined;
  const { layer, batches, gradients } = unfinished;
  if (gradients !== shape.gradients || info.windows !== shape.info.windows)
    throw new FileFormatError(
      `${file} has ${gradients} numbers of gradients of ${info.windows} windows; ${shape.gradients} of ${shape.info.windows} are expected.`,
    );
  const layers = await Promise.all(info.layouts.slice(layer).map((_, index) => sums.layer(layer + index)));
  return {
    layer,
    layers,
    losses: Array.from(await sums.losses()),
    gradients: await sums.gradients(),
    begun: batches > 0 ? { batches, sums: await sums.layer(layer - 1) } : undefined,
  };
}

function unfinishedOf({ run }: StateShape, { layer, gradients, begun }: ScoreState): Unfinished {
  return {
    run,
    layer,
    batches: begun?.batches ?? 0,
    windows: begun?.sums.windows ?? 0,
    gradients: gradients.length,
  };
}
