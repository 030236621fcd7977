import { parseJsonRecord } from '../../checkpoint/files/json.ts';
import { memorySource } from '../../checkpoint/files/memory.ts';
import { readSafetensorsHeader, type SafetensorsEntry } from '../../checkpoint/formats/safetensors/safetensors.ts';
import { type WritableTensor, writeSafetensors } from '../../checkpoint/formats/safetensors/safetensors-write.ts';
import { FileFormatError, MismatchError, UnsupportedError } from '../../errors.ts';
import { MODULES, type Module } from '../structures/structures.ts';
import { METRICS, type Metric, type Scores } from '../sums/scores.ts';
import { parseCalibration, parseEngine, parseGroups, parseModel } from './score-fields.ts';

const FORMAT = 'espalier-scores/1';
const REMEDY = 'Score the model again.';

/**
 * A score file (docs/architecture.md section 7.2): safetensors with the tensors `layers.{i}.{module}.{metric}` [groups], F32, and the metadata `format`, `model`,
 * `calibration`, `groups` and `engine`. The same scores give the same bytes. Throws MismatchError where values and groups disagree or a score is not finite.
 */
export function encodeScores(scores: Scores): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, WritableTensor>();
  for (const [layer, modules] of scores.layers.entries()) {
    for (const module of MODULES) {
      const groups = scores.groups[layer]?.[module]?.groups;
      for (const metric of METRICS) {
        const data = modules[module]?.[metric];
        if (!data) continue;
        const name = tensorName(layer, module, metric);
        if (data.length !== groups)
          throw new MismatchError(`"${name}" has ${data.length} values for ${groups} groups.`);
        const wrong = data.findIndex((value) => !Number.isFinite(value));
        if (wrong >= 0)
          throw new MismatchError(
            `"${name}" is ${data[wrong]} at group ${wrong}; scores must be finite. Leave this metric out (--metrics).`,
          );
        tensors.set(name, { dtype: 'F32', shape: [data.length], data });
      }
    }
  }
  const { name, revision, sha256, config, parameters } = scores.model;
  const { source, sha256: textHash, windows, length, seed, objective, draws, loss, tokens } = scores.calibration;
  return writeSafetensors(tensors, {
    format: FORMAT,
    model: JSON.stringify({ name, revision, sha256, config, parameters }),
    calibration: JSON.stringify({ source, sha256: textHash, windows, length, seed, objective, draws, loss, tokens }),
    groups: JSON.stringify(scores.groups),
    engine: JSON.stringify({
      version: scores.engine.version,
      backend: scores.engine.backend,
      precision: scores.engine.precision,
      notes: scores.engine.notes,
    }),
  });
}

/**
 * Reads a score file. Everything is checked before it is believed: sizes against the bytes that there are, names, shapes, finite values.
 * Throws FileFormatError naming `file`, the field or tensor, the value found and what is expected.
 */
export async function decodeScores(contents: Uint8Array, file = 'The score file'): Promise<Scores> {
  // Node's Buffer, which is one too, shares its memory where others copy.
  const bytes = new Uint8Array(contents.buffer, contents.byteOffset, contents.byteLength);
  const { metadata, entries } = await readHeader(bytes, file);
  if (metadata.format !== FORMAT) {
    throw new FileFormatError(
      `${file} has the format ${JSON.stringify(metadata.format) ?? 'of another kind'}; "${FORMAT}" is expected. ${REMEDY}`,
    );
  }
  const part = (key: string): unknown =>
    parseJsonRecord(new TextEncoder().encode(`{"value":${metadata[key] ?? 'null'}}`), `${key} of ${file}`).value;
  const groups = parseGroups(part('groups'), file);
  const layers: Scores['layers'] = groups.map(({ convolution }) => ({
    attention: {},
    ...(convolution && { convolution: {} }),
    mlp: {},
  }));
  for (const [name, entry] of entries) {
    const { layer, module, metric } = parseName(name, groups.length, file);
    const values = readValues(bytes, name, entry, groups[layer]?.[module]?.groups, file);
    const scores = (layers[layer] as Partial<Record<Module, Partial<Record<Metric, Float32Array>>>>)[module];
    if (scores) scores[metric] = values;
  }
  return {
    format: FORMAT,
    model: parseModel(part('model'), file),
    calibration: parseCalibration(part('calibration'), file),
    engine: parseEngine(part('engine'), file),
    groups,
    layers,
  };
}

/** The tensor that holds a metric of one module of one layer. */
function tensorName(layer: number, module: Module, metric: Metric): string {
  return `layers.${layer}.${module}.${metric}`;
}

async function readHeader(bytes: Uint8Array, file: string) {
  try {
    return await readSafetensorsHeader(memorySource(file, bytes));
  } catch (cause) {
    // To a reader of scores an element type that weights may not have is damage too.
    if (cause instanceof UnsupportedError) throw new FileFormatError(cause.message, { cause });
    throw cause;
  }
}

function parseName(name: string, layers: number, file: string): { layer: number; module: Module; metric: Metric } {
  const [, index = '', module, metric] =
    /^layers\.(0|[1-9][0-9]{0,5})\.(attention|convolution|mlp)\.([a-z0-9-]{1,40})$/.exec(name) ?? [];
  const known = METRICS.find((candidate) => candidate === metric);
  if (!module || !known) {
    throw new FileFormatError(
      `${file} has the tensor ${JSON.stringify(name.slice(0, 80))}; "layers.{index}.{attention, convolution or mlp}.{metric}" with a known metric is expected. ${REMEDY}`,
    );
  }
  if (Number(index) >= layers)
    throw new FileFormatError(`${file} has scores for layer ${index}, but groups for ${layers} layers. ${REMEDY}`);
  return { layer: Number(index), module: module as Module, metric: known };
}

function readValues(
  bytes: Uint8Array,
  name: string,
  { info, start, end }: SafetensorsEntry,
  groups: number | undefined,
  file: string,
): Float32Array {
  if (info.storage !== 'F32' || info.shape.length !== 1 || info.shape[0] !== groups) {
    throw new FileFormatError(
      `${file}: "${name}" is ${info.storage} [${info.shape.join(', ')}]; F32 [${groups}] is expected. ${REMEDY}`,
    );
  }
  const values = new Float32Array(bytes.slice(start, end).buffer);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new FileFormatError(
      `${file}: "${name}" is ${values[wrong]} at group ${wrong}; scores must be finite. ${REMEDY}`,
    );
  return values;
}
