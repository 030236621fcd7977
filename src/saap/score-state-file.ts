import { parseJsonRecord } from '../checkpoint/json.ts';
import { memorySource } from '../checkpoint/memory.ts';
import { readSafetensorsHeader } from '../checkpoint/safetensors.ts';
import { type WritableTensor, writeSafetensors } from '../checkpoint/safetensors-write.ts';
import { FileFormatError } from '../errors.ts';
import { tensorName } from './score-file.ts';
import type { ScoreState } from './score-state.ts';
import { METRICS, type Metric } from './scores.ts';
import { MODULES, type Module } from './search/group-table.ts';

const FORMAT = 'espalier-score-state/1';
const GRADIENTS = 'gradients';

/** What a state must fit: the run that it belongs to, as text, and its sizes. */
export interface StateShape {
  /** Everything that the result depends on. A state of another run is none. */
  readonly run: string;
  readonly windows: number;
  /** Values of `gradients`. */
  readonly gradients: number;
  /** Groups of each layer by module. */
  readonly groups: readonly Readonly<Record<Module, { readonly groups: number }>>[];
}

/** A state between two layers as a safetensors file: `gradients`, `layers.{i}.{module}.{metric}` of the layers that are scored, F32; the rest in the metadata. */
export function encodeScoreState({ run }: Pick<StateShape, 'run'>, state: ScoreState): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, WritableTensor>([[GRADIENTS, { dtype: 'F32', shape: [state.gradients.length], data: state.gradients }]]);
  for (const [index, modules] of state.layers.entries()) {
    for (const module of MODULES) {
      for (const metric of METRICS) {
        const data = modules[module][metric];
        if (data) tensors.set(tensorName(state.layer + index, module, metric), { dtype: 'F32', shape: [data.length], data });
      }
    }
  }
  return writeSafetensors(tensors, { format: FORMAT, run, state: JSON.stringify({ layer: state.layer, losses: state.losses }) });
}

/** The state in a file, or undefined where it is of another run. Throws FileFormatError naming `file` and what is wrong with it. */
export async function decodeScoreState(bytes: Uint8Array, shape: StateShape, file: string): Promise<ScoreState | undefined> {
  const { metadata, entries } = await readSafetensorsHeader(memorySource(file, bytes));
  if (metadata.format !== FORMAT) throw new FileFormatError(`${file} has the format ${JSON.stringify(metadata.format)}; "${FORMAT}" is expected.`);
  if (metadata.run !== shape.run) return undefined;
  const { layer, losses } = parseJsonRecord(new TextEncoder().encode(metadata.state ?? '{}'), `state of ${file}`);
  if (typeof layer !== 'number' || !Number.isInteger(layer) || layer < 1 || layer >= shape.groups.length)
    throw new FileFormatError(`${file}: state.layer is ${JSON.stringify(layer)}; a whole number from 1 to ${shape.groups.length - 1} is expected.`);
  if (!Array.isArray(losses) || losses.length !== shape.windows || !losses.every((loss) => typeof loss === 'number'))
    throw new FileFormatError(`${file}: state.losses must be ${shape.windows} numbers.`);
  const values = (name: string, length: number): Float32Array | undefined => {
    const entry = entries.get(name);
    if (!entry) return undefined;
    if (entry.info.storage !== 'F32' || entry.end - entry.start !== length * Float32Array.BYTES_PER_ELEMENT)
      throw new FileFormatError(`${file}: "${name}" is ${entry.info.storage} [${entry.info.shape.join(', ')}]; F32 [${length}] is expected.`);
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
  return { layer, layers, losses: losses as number[], gradients };
}
