import type { ByteSource } from '../../checkpoint/checkpoint.ts';
import { parseJsonRecord } from '../../checkpoint/files/json.ts';
import { readSafetensorsHeader, type SafetensorsEntry } from '../../checkpoint/formats/safetensors/safetensors.ts';
import { FileFormatError, UnsupportedError } from '../../errors.ts';
import type { CoupledStructure, MemberSlice } from '../structures/structures.ts';
import { METRICS, type Metric, type Scores } from '../sums/scores.ts';
import type { LayerPartial } from '../sums/shards.ts';
import { checkLayerPartial } from './partial-check.ts';
import { fields, parseCalibration, parseEngine, parseGroups, parseModel } from './score-fields.ts';

const PARTIAL_FORMAT = 'espalier-partial-scores/1';
const REMEDY = 'Score this shard again.';

/** What one shard's file says about itself. `calibration.loss` and `calibration.tokens` are those of the shard's own windows, the rest of the whole run. */
export interface PartialInfo extends Pick<Scores, 'model' | 'calibration' | 'engine' | 'groups'> {
  readonly shard: { readonly index: number; readonly count: number };
  readonly metrics: readonly Metric[];
  /** Windows and token positions of the shard. */
  readonly windows: number;
  readonly rows: number;
  /** The coupled structures of each layer: how sums of channels fold into groups. */
  readonly structures: readonly (readonly CoupledStructure[])[];
}

/** A tensor of a partial file. */
export interface PartialTensor {
  readonly name: string;
  readonly data: Float32Array | Float64Array | Int32Array;
}

/** The file of one shard: its sums are read layer by layer, so that merging holds one layer of each shard. */
export interface PartialFile {
  readonly name: string;
  readonly info: PartialInfo;
  layer(index: number): Promise<LayerPartial>;
}

/** The tensors of one layer: `layers.{i}.sums.{name}` and `layers.{i}.constants.{name}`. */
export function layerTensors(layer: number, { sums, constants }: LayerPartial): PartialTensor[] {
  const named = (part: 'sums' | 'constants', values: LayerPartial['sums']) =>
    [...values].map(([name, data]) => ({ name: `layers.${layer}.${part}.${name}`, data }));
  return [...named('sums', sums), ...named('constants', constants)];
}

/** Metadata of a partial file, and the tensors that belong to it: `structures.{k}.{kind}.{weight}`, the group of each channel, once for all layers that share them. */
export function partialHeader(info: PartialInfo): {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly PartialTensor[];
} {
  const kinds: (readonly CoupledStructure[])[] = [];
  const structureOfLayer = info.structures.map((structures) => {
    const known = kinds.findIndex((candidate) => sameStructures(candidate, structures));
    return known >= 0 ? known : kinds.push(structures) - 1;
  });
  const described = kinds.map((structures) =>
    structures.map(({ kind, groups, parametersPerGroup, members }) => ({
      kind,
      groups,
      parametersPerGroup,
      members: members.map(({ weight, axis }) => ({ weight, axis })),
    })),
  );
  const { shard, metrics, windows, rows, model, calibration, engine, groups } = info;
  return {
    metadata: {
      format: PARTIAL_FORMAT,
      model: JSON.stringify(model),
      calibration: JSON.stringify(calibration),
      engine: JSON.stringify(engine),
      groups: JSON.stringify(groups),
      shard: JSON.stringify({ ...shard, windows, rows, metrics }),
      structures: JSON.stringify({ kinds: described, layers: structureOfLayer }),
    },
    tensors: kinds.flatMap((structures, index) =>
      structures.flatMap(({ kind, members }) =>
        members.map(({ weight, groupOfChannel }) => ({
          name: `structures.${index}.${kind}.${weight}`,
          data: groupOfChannel,
        })),
      ),
    ),
  };
}

function sameStructures(a: readonly CoupledStructure[], b: readonly CoupledStructure[]): boolean {
  if (a === b) return true;
  const text = (structures: readonly CoupledStructure[]) =>
    JSON.stringify(
      structures.map(({ members, ...rest }) => [
        rest,
        members.map(({ groupOfChannel, ...member }) => [member, [...groupOfChannel]]),
      ]),
    );
  return text(a) === text(b);
}

/**
 * Opens the file of a shard; sums are read later. Everything is checked before it is believed: sizes against the bytes that there are, names, lengths.
 * Throws FileFormatError naming the file, the field or tensor, and what is expected.
 */
export async function openPartial(source: ByteSource): Promise<PartialFile> {
  const file = source.name;
  const { metadata, entries } = await readHeader(source);
  if (metadata.format !== PARTIAL_FORMAT) {
    throw new FileFormatError(
      `${file} has the format ${JSON.stringify(metadata.format) ?? 'of another kind'}; "${PARTIAL_FORMAT}" is expected: a file of "espalier score --shard".`,
    );
  }
  const part = (key: string): unknown =>
    parseJsonRecord(new TextEncoder().encode(`{"value":${metadata[key] ?? 'null'}}`), `${key} of ${file}`).value;
  const groups = parseGroups(part('groups'), file);
  const shard = fields(part('shard'), 'shard', file);
  const info: PartialInfo = {
    model: parseModel(part('model'), file),
    calibration: parseCalibration(part('calibration'), file),
    engine: parseEngine(part('engine'), file),
    groups,
    shard: { index: shard.count('index'), count: shard.count('count') },
    metrics: parseMetricNames(shard.record.metrics, file),
    windows: shard.count('windows'),
    rows: shard.count('rows'),
    structures: await parseStructures(part('structures'), groups.length, source, entries),
  };
  return {
    name: file,
    info,
    async layer(index) {
      const read = async (kind: 'sums' | 'constants') => {
        const prefix = `layers.${index}.${kind}.`;
        const found = new Map<string, Float32Array | Float64Array>();
        for (const [name, entry] of entries)
          if (name.startsWith(prefix)) found.set(name.slice(prefix.length), await readNumbers(source, entry));
        return found;
      };
      const partial = {
        windows: info.windows,
        rows: info.rows,
        sums: await read('sums'),
        constants: await read('constants'),
      };
      checkLayerPartial(partial, info.structures[index] ?? [], index, file);
      return partial;
    },
  };
}

async function readHeader(source: ByteSource) {
  try {
    return await readSafetensorsHeader(source);
  } catch (cause) {
    if (cause instanceof UnsupportedError) throw new FileFormatError(cause.message, { cause });
    throw cause;
  }
}

async function readNumbers(
  source: ByteSource,
  { info, start, end }: SafetensorsEntry,
): Promise<Float32Array | Float64Array> {
  if (info.storage !== 'F32' && info.storage !== 'F64')
    throw new FileFormatError(`${source.name}: "${info.name}" is ${info.storage}; F32 or F64 is expected. ${REMEDY}`);
  const { buffer } = (await source.read(start, end)).slice();
  const values = info.storage === 'F32' ? new Float32Array(buffer) : new Float64Array(buffer);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new FileFormatError(
      `${source.name}: "${info.name}" is ${values[wrong]} at place ${wrong}; sums must be finite. ${REMEDY}`,
    );
  return values;
}

function parseMetricNames(value: unknown, file: string): Metric[] {
  if (!Array.isArray(value)) throw new FileFormatError(`${file}: shard.metrics is missing or no list. ${REMEDY}`);
  return value.map((name: unknown) => {
    const metric = METRICS.find((known) => known === name);
    if (!metric)
      throw new FileFormatError(`${file}: shard.metrics has ${JSON.stringify(name)}, which is no metric. ${REMEDY}`);
    return metric;
  });
}

async function parseStructures(
  value: unknown,
  layers: number,
  source: ByteSource,
  entries: ReadonlyMap<string, SafetensorsEntry>,
): Promise<readonly (readonly CoupledStructure[])[]> {
  const file = source.name;
  const { record } = fields(value, 'structures', file);
  const { kinds, layers: structureOfLayer } = record;
  if (!Array.isArray(kinds) || !Array.isArray(structureOfLayer) || structureOfLayer.length !== layers)
    throw new FileFormatError(
      `${file}: the metadata "structures" must list kinds, and one of them for each of ${layers} layers. ${REMEDY}`,
    );
  const parsed = await Promise.all(
    kinds.map((structures: unknown, index) => parseKind(structures, index, source, entries)),
  );
  return structureOfLayer.map((index: unknown, layer) => {
    const found = typeof index === 'number' ? parsed[index] : undefined;
    if (!found)
      throw new FileFormatError(
        `${file}: structures.layers[${layer}] is ${JSON.stringify(index)}; there are ${parsed.length} kinds. ${REMEDY}`,
      );
    return found;
  });
}

async function parseKind(
  value: unknown,
  index: number,
  source: ByteSource,
  entries: ReadonlyMap<string, SafetensorsEntry>,
): Promise<CoupledStructure[]> {
  const file = source.name;
  const path = `structures.kinds[${index}]`;
  if (!Array.isArray(value)) throw new FileFormatError(`${file}: ${path} is no list. ${REMEDY}`);
  const structures: CoupledStructure[] = [];
  for (const part of value as unknown[]) {
    const { text, count, record } = fields(part, path, file);
    const kind = text('kind');
    if (kind !== 'attention' && kind !== 'mlp')
      throw new FileFormatError(`${file}: ${path}.kind is "${kind}"; it must be attention or mlp. ${REMEDY}`);
    if (!Array.isArray(record.members)) throw new FileFormatError(`${file}: ${path}.members is no list. ${REMEDY}`);
    const groups = count('groups');
    const members: MemberSlice[] = [];
    for (const member of record.members as unknown[]) {
      const read = fields(member, `${path}.members`, file);
      const weight = read.text('weight');
      members.push({
        weight,
        axis: read.count('axis'),
        groupOfChannel: await readGroups(source, entries, `structures.${index}.${kind}.${weight}`, groups),
      });
    }
    structures.push({ kind, groups, parametersPerGroup: count('parametersPerGroup'), members });
  }
  return structures;
}

async function readGroups(
  source: ByteSource,
  entries: ReadonlyMap<string, SafetensorsEntry>,
  name: string,
  groups: number,
): Promise<Int32Array> {
  const entry = entries.get(name);
  if (entry?.info.storage !== 'I32')
    throw new FileFormatError(`${source.name} has no tensor "${name}" of type I32. ${REMEDY}`);
  const values = new Int32Array((await source.read(entry.start, entry.end)).slice().buffer);
  const wrong = values.findIndex((group) => group < -1 || group >= groups);
  if (wrong >= 0)
    throw new FileFormatError(
      `${source.name}: "${name}" puts channel ${wrong} into group ${values[wrong]} of ${groups}. ${REMEDY}`,
    );
  return values;
}
