import { parseJsonRecord } from '../../checkpoint/files/json.ts';
import { memorySource } from '../../checkpoint/files/memory.ts';
import { readSafetensorsHeader, type SafetensorsEntry } from '../../checkpoint/formats/safetensors/safetensors.ts';
import { type WritableTensor, writeSafetensors } from '../../checkpoint/formats/safetensors/safetensors-write.ts';
import { FileFormatError } from '../../errors.ts';
import { MODULES, type Module } from '../structures/group-table.ts';
import type { CoupledStructure } from '../structures/structures.ts';
import type { LayerProgress } from '../sums/layer-progress.ts';
import type { ScoreState } from '../sums/score-state.ts';
import { METRICS, type Metric } from '../sums/scores.ts';
import { tensorName } from './score-file.ts';

const FORMAT = 'espalier-score-state/1';
const GRADIENTS = 'gradients';
const BEGUN = 'begun.';

/** What a state must fit: the run that it belongs to, as text, and its sizes. */
export interface StateShape {
  /** Everything that the result depends on. A state of another run is none. */
  readonly run: string;
  readonly windows: number;
  /** Values of `gradients`. */
  readonly gradients: number;
  /** Structures of a layer, and the number of values of a weight of it: what a layer that is begun must fit. */
  readonly structuresOf: (layer: number) => readonly CoupledStructure[];
  readonly sizeOf: (layer: number, weight: string) => number;
  /** Whether element metrics are scored. */
  readonly elements: boolean;
  /** Groups of each layer by module. */
  readonly groups: readonly Readonly<Record<Module, { readonly groups: number }>>[];
}

/**
 * A state as a safetensors file: `gradients`, `layers.{i}.{module}.{metric}` of the layers that are scored, F32, and `begun.{sum}` of the layer that is begun, F32 or F64;
 * the rest in the metadata.
 */
export function encodeScoreState({ run }: Pick<StateShape, 'run'>, state: ScoreState): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, WritableTensor>([
    [GRADIENTS, { dtype: 'F32', shape: [state.gradients.length], data: state.gradients }],
  ]);
  for (const [index, modules] of state.layers.entries()) {
    for (const module of MODULES) {
      for (const metric of METRICS) {
        const data = modules[module][metric];
        if (data)
          tensors.set(tensorName(state.layer + index, module, metric), { dtype: 'F32', shape: [data.length], data });
      }
    }
  }
  for (const [name, data] of state.begun?.sums ?? []) {
    const shape = [data.length];
    tensors.set(
      `${BEGUN}${name}`,
      data instanceof Float64Array ? { dtype: 'F64', shape, data } : { dtype: 'F32', shape, data },
    );
  }
  return writeSafetensors(tensors, {
    format: FORMAT,
    run,
    state: JSON.stringify({ layer: state.layer, losses: state.losses, batches: state.begun?.batches ?? 0 }),
  });
}

/** The state in a file, or undefined where it is of another run. Throws FileFormatError naming `file` and what is wrong with it. */
export async function decodeScoreState(
  bytes: Uint8Array,
  shape: StateShape,
  file: string,
): Promise<ScoreState | undefined> {
  const { metadata, entries } = await readSafetensorsHeader(memorySource(file, bytes));
  if (metadata.format !== FORMAT)
    throw new FileFormatError(`${file} has the format ${JSON.stringify(metadata.format)}; "${FORMAT}" is expected.`);
  if (metadata.run !== shape.run) return undefined;
  const {
    layer,
    losses,
    batches = 0,
  } = parseJsonRecord(new TextEncoder().encode(metadata.state ?? '{}'), `state of ${file}`);
  if (typeof batches !== 'number' || !Number.isInteger(batches) || batches < 0 || batches >= shape.windows)
    throw new FileFormatError(
      `${file}: state.batches is ${JSON.stringify(batches)}; a whole number below ${shape.windows} is expected.`,
    );
  // Before any layer is scored, the last one may be begun.
  const last = batches > 0 ? shape.groups.length : shape.groups.length - 1;
  if (typeof layer !== 'number' || !Number.isInteger(layer) || layer < 1 || layer > last)
    throw new FileFormatError(
      `${file}: state.layer is ${JSON.stringify(layer)}; a whole number from 1 to ${last} is expected.`,
    );
  if (!Array.isArray(losses) || losses.length !== shape.windows || !losses.every((loss) => typeof loss === 'number'))
    throw new FileFormatError(`${file}: state.losses must be ${shape.windows} numbers.`);
  const values = (name: string, length: number): Float32Array | undefined => {
    const entry = entries.get(name);
    if (!entry) return undefined;
    if (entry.info.storage !== 'F32' || entry.end - entry.start !== length * Float32Array.BYTES_PER_ELEMENT)
      throw new FileFormatError(
        `${file}: "${name}" is ${entry.info.storage} [${entry.info.shape.join(', ')}]; F32 [${length}] is expected.`,
      );
    return new Float32Array(bytes.slice(entry.start, entry.end).buffer);
  };
  const gradients = values(GRADIENTS, shape.gradients);
  if (!gradients) throw new FileFormatError(`${file} has no tensor "${GRADIENTS}".`);
  const layers = shape.groups.slice(layer).map((groups, index) => {
    const read = (module: Module) => {
      const found: Partial<Record<Metric, Float32Array>> = {};
      for (const metric of METRICS) {
        const data = values(tensorName(layer + index, module, metric), groups[module].groups);
        if (data) found[metric] = data;
      }
      return found;
    };
    return { attention: read('attention'), mlp: read('mlp') };
  });
  const begun = batches > 0 ? { batches, sums: readBegun(bytes, entries, shape, layer - 1, file) } : undefined;
  return { layer, layers, losses: losses as number[], gradients, begun };
}

function readBegun(
  bytes: Uint8Array,
  entries: ReadonlyMap<string, SafetensorsEntry>,
  shape: StateShape,
  layer: number,
  file: string,
): LayerProgress['sums'] {
  const sums = new Map<string, Float32Array | Float64Array>();
  for (const [name, { info, start, end }] of entries) {
    if (!name.startsWith(BEGUN)) continue;
    if (info.storage !== 'F32' && info.storage !== 'F64')
      throw new FileFormatError(`${file}: "${name}" is ${info.storage}; F32 or F64 is expected.`);
    const { buffer } = bytes.slice(start, end);
    sums.set(name.slice(BEGUN.length), info.storage === 'F32' ? new Float32Array(buffer) : new Float64Array(buffer));
  }
  for (const [name, length] of begunLengths(shape, layer)) {
    const found = sums.get(name)?.length ?? 0;
    // Magnitudes have one part for each window.
    const fits = name.startsWith('magnitudes/') ? found > 0 && found % length === 0 : found === length;
    if (!fits) throw new FileFormatError(`${file}: "${BEGUN}${name}" has ${found} numbers; ${length} are expected.`);
  }
  return sums;
}

/** The sums that a layer cannot go on without, with their lengths. */
function* begunLengths(
  { structuresOf, sizeOf, elements }: StateShape,
  layer: number,
): Generator<readonly [name: string, length: number]> {
  for (const { kind, groups, members } of structuresOf(layer)) {
    yield [`joint-squares/${kind}`, groups];
    for (const { weight, axis, groupOfChannel } of members) {
      yield [`signed/${weight}`, groups];
      yield [`signed-squares/${weight}`, groups];
      if (axis === 1) yield [`input-squares/${weight}`, groupOfChannel.length];
      if (!elements) continue;
      yield [`first/${weight}`, sizeOf(layer, weight)];
      yield [`second/${weight}`, sizeOf(layer, weight)];
      yield [`magnitudes/${weight}`, groupOfChannel.length];
    }
  }
}
