import type { ByteSource } from '../../checkpoint/checkpoint.ts';
import { parseJsonRecord } from '../../checkpoint/files/json.ts';
import {
  readSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
} from '../../checkpoint/formats/safetensors/safetensors.ts';
import {
  type DeclaredTensor,
  type SafetensorsLayout,
  safetensorsLayout,
} from '../../checkpoint/formats/safetensors/safetensors-write.ts';
import { FileFormatError, UnsupportedError } from '../../errors.ts';
import { LayerSums } from '../sums/layer-sums.ts';
import { keptSums, METRICS, type Metric, needsOf } from '../sums/metrics.ts';
import type { Scores } from '../sums/scores.ts';
import { declaredSums, type LayerLayout, type Numbers, openSums } from '../sums/sum-table.ts';
import { fields, parseEngine, parseGroups, parseModel, parseText } from './score-fields.ts';
import { describeLayouts, parseLayouts } from './sums-structures.ts';

const SUMS_FORMAT = 'espalier-sums/1';
const REMEDY = 'Score it again.';
/** Per window its mean cross-entropy, and of a run that has not ended the gradient from which it goes on. */
const LOSSES = 'losses';
const GRADIENTS = 'gradients';

/** What a file of sums says about the run, or the part of one, whose windows they have seen. */
export interface SumsInfo extends Pick<Scores, 'model' | 'engine' | 'groups'> {
  /** The text that was scored on. */
  readonly calibration: Omit<Scores['calibration'], 'loss' | 'tokens'>;
  /** Which part of the windows it has seen. */
  readonly shard: {
    /** From 0. */
    readonly index: number;
    /** Parts in all. */
    readonly count: number;
  };
  /** Metrics that can be made from the sums. */
  readonly metrics: readonly Metric[];
  /** Windows and token positions of the shard. */
  readonly windows: number;
  /** Token positions of the shard. */
  readonly rows: number;
  /** Gradients of each window: its sums count it so many times. */
  readonly draws: number;
  /** What the sums of each layer are about. @internal */
  readonly layouts: readonly LayerLayout[];
}

/** How far a run has come that has not ended: layers from `layer` on are finished, the one below is begun where `batches` is above 0. */
export interface Unfinished {
  /** Everything that the result depends on, as text. */
  readonly run: string;
  readonly layer: number;
  readonly batches: number;
  /** Windows of those batches, each as often as it was drawn. */
  readonly windows: number;
  /** Numbers of `gradients`. */
  readonly gradients: number;
}

/** A file of sums: read layer by layer, so that joining shards holds one layer of each. */
export interface SumsFile {
  /** Shown to people. */
  readonly name: string;
  /** What the file says about its run. */
  readonly info: SumsInfo;
  /** @internal */
  readonly unfinished: Unfinished | undefined;
  /** @internal */
  readonly losses: () => Promise<Float64Array>;
  /** @internal */
  readonly gradients: () => Promise<Float32Array>;
  /** @internal */
  readonly layer: (index: number) => Promise<LayerSums>;
}

/** A file of sums, laid out before anything is summed: `layers.{i}.{sum}`, the structures that they are about, and `losses` [windows]. */
export function layOutSums(info: SumsInfo, unfinished?: Unfinished): SafetensorsLayout {
  const { metadata, tensors } = describeLayouts(info.layouts);
  const { model, calibration, engine, groups, shard, metrics, windows, rows, draws } = info;
  return safetensorsLayout(
    [
      ...declared(info, unfinished),
      ...tensors.map(({ name, data }) => [name, { dtype: 'I32', shape: [data.length] }] as const),
    ],
    {
      format: SUMS_FORMAT,
      model: JSON.stringify(model),
      calibration: JSON.stringify(calibration),
      engine: JSON.stringify(engine),
      groups: JSON.stringify(groups),
      shard: JSON.stringify({ ...shard, windows, rows, draws, metrics }),
      structures: metadata,
      ...(unfinished && { unfinished: JSON.stringify(unfinished) }),
    },
  );
}

/** Everything in a file but its structures. */
export function* sumsContents(
  info: SumsInfo,
  layers: Iterable<readonly [layer: number, sums: LayerSums]>,
  losses: readonly number[],
  gradients?: Float32Array,
): Generator<readonly [name: string, data: Numbers | Int32Array]> {
  for (const { name, data } of describeLayouts(info.layouts).tensors) yield [name, data];
  yield [LOSSES, Float64Array.from(losses)];
  if (gradients) yield [GRADIENTS, gradients];
  for (const [layer, sums] of layers) for (const [key, data] of sums.tensors()) yield [`layers.${layer}.${key}`, data];
}

function* declared(info: SumsInfo, unfinished?: Unfinished): Generator<readonly [string, DeclaredTensor]> {
  yield [LOSSES, { dtype: 'F64', shape: [info.windows] }];
  if (unfinished) yield [GRADIENTS, { dtype: 'F32', shape: [unfinished.gradients] }];
  for (const layer of info.layouts.keys())
    for (const { key, type, length } of declaredOf(info, layer, unfinished))
      yield [`layers.${layer}.${key}`, { dtype: type, shape: [length] }];
}

/** The sums that a file has of a layer: those of a finished one, of one that is begun, or none. */
function declaredOf({ metrics, shard, layouts }: SumsInfo, layer: number, unfinished?: Unfinished) {
  const layout = layouts[layer];
  const begun = unfinished && unfinished.batches > 0 && layer === unfinished.layer - 1;
  if (!layout || (unfinished && !begun && layer < unfinished.layer)) return [];
  return declaredSums(
    begun ? openSums(needsOf(metrics)) : keptSums(metrics, shard.count === 1 ? 'all' : 'part'),
    layout,
  );
}

/**
 * Opens a file of sums; the sums are read later. Everything is checked before it is believed: sizes against the bytes that there are, and names, types and lengths against what the metadata
 * declare. Throws FileFormatError naming the file, the field or tensor, and what is expected.
 */
export async function openSumsFile(source: ByteSource): Promise<SumsFile> {
  const file = source.name;
  const { metadata, entries } = await readHeader(source);
  if (metadata.format !== SUMS_FORMAT)
    throw new FileFormatError(
      `${file} has the format ${JSON.stringify(metadata.format) ?? 'of another kind'}; "${SUMS_FORMAT}" is expected: a file of "espalier score --shard" of this version.`,
    );
  const part = (key: string): unknown =>
    parseJsonRecord(new TextEncoder().encode(`{"value":${metadata[key] ?? 'null'}}`), `${key} of ${file}`).value;
  const groups = parseGroups(part('groups'), file);
  const shard = fields(part('shard'), 'shard', file);
  const info: SumsInfo = {
    model: parseModel(part('model'), file),
    calibration: parseText(part('calibration'), file),
    engine: parseEngine(part('engine'), file),
    groups,
    shard: { index: shard.count('index'), count: shard.count('count') },
    metrics: parseMetricNames(shard.record.metrics, file),
    windows: shard.count('windows'),
    rows: shard.count('rows'),
    draws: shard.count('draws'),
    layouts: await parseLayouts(part('structures'), groups.length, source, entries),
  };
  const unfinished =
    metadata.unfinished === undefined ? undefined : parseUnfinished(part('unfinished'), info, source.name);
  const expected = new Map(declared(info, unfinished));
  for (const [name, { info: found }] of entries) {
    const wanted = expected.get(name);
    if (!wanted && name.startsWith('structures.')) continue;
    if (!wanted || found.storage !== wanted.dtype || `${found.shape}` !== `${wanted.shape}`)
      throw new FileFormatError(
        `${file}: "${name}" is ${found.storage} [${found.shape.join(', ')}]; ${wanted ? `${wanted.dtype} [${wanted.shape.join(', ')}] is expected` : 'there is no such sum'}. ${REMEDY}`,
      );
  }
  const numbers = (name: string) => readNumbers(source, entries.get(name), name);
  const [missing] = [...expected.keys()].filter((name) => !entries.has(name));
  if (missing !== undefined) throw new FileFormatError(`${file} has no tensor "${missing}". ${REMEDY}`);
  return {
    name: file,
    info,
    unfinished,
    losses: async () => Float64Array.from(await numbers(LOSSES)),
    gradients: async () => Float32Array.from(await numbers(GRADIENTS)),
    layer: async (index) => {
      const layout = info.layouts[index] ?? { structures: [], shapeOf: () => [] };
      const tensors: [string, Numbers][] = [];
      for (const { key } of declaredOf(info, index, unfinished))
        tensors.push([key, await numbers(`layers.${index}.${key}`)]);
      const windows = unfinished && index < unfinished.layer ? unfinished.windows : info.draws * info.windows;
      return LayerSums.from(layout, { windows, rows: (info.rows / info.windows) * windows }, tensors);
    },
  };
}

async function readHeader(source: ByteSource): Promise<SafetensorsHeader> {
  try {
    return await readSafetensorsHeader(source);
  } catch (cause) {
    if (cause instanceof UnsupportedError) throw new FileFormatError(cause.message, { cause });
    throw cause;
  }
}

async function readNumbers(source: ByteSource, entry: SafetensorsEntry | undefined, name: string): Promise<Numbers> {
  if (!entry) throw new FileFormatError(`${source.name} has no tensor "${name}". ${REMEDY}`);
  const { buffer } = (await source.read(entry.start, entry.end)).slice();
  const values = entry.info.storage === 'F32' ? new Float32Array(buffer) : new Float64Array(buffer);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new FileFormatError(
      `${source.name}: "${name}" is ${values[wrong]} at place ${wrong}; sums must be finite. ${REMEDY}`,
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

function parseUnfinished(value: unknown, info: SumsInfo, file: string): Unfinished {
  const { text, count } = fields(value, 'unfinished', file);
  const [layer, batches, windows] = [count('layer'), count('batches'), count('windows')];
  // Before any layer is finished, the last one may be begun.
  const last = batches > 0 ? info.layouts.length : info.layouts.length - 1;
  if (layer < 1 || layer > last)
    throw new FileFormatError(
      `${file}: unfinished.layer is ${layer}; a whole number from 1 to ${last} is expected. ${REMEDY}`,
    );
  if (batches > windows || windows >= info.draws * info.windows)
    throw new FileFormatError(
      `${file}: ${batches} batches of ${windows} windows are done; fewer windows than ${info.draws * info.windows} are expected. ${REMEDY}`,
    );
  return { run: text('run'), layer, batches, windows, gradients: count('gradients') };
}
