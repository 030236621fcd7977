import { load } from 'js-yaml';
import { FileFormatError, MissingError } from '../../../errors.ts';
import { assembleCheckpoint } from '../../assemble.ts';
import type { ByteSource, Checkpoint } from '../../checkpoint.ts';
import { checkInnerName, type FileAccess } from '../../files/files.ts';
import { isRecord, JSON_LIMITS, type JsonRecord, parseJsonRecord, readWhole } from '../../files/json.ts';
import type { OpenOptions } from '../../open-options.ts';
import { quote, type Weights } from '../../weights.ts';
import { languageModel } from './language-model.ts';
import { safetensorsWeights } from './safetensors.ts';
import { unscaleFloats } from './scaled-floats.ts';
import { unwrapNames } from './wrapped-names.ts';

export const SINGLE = 'model.safetensors';
export const INDEX = 'model.safetensors.index.json';
/** What files of weights are called; others of this format may be anything. */
const WEIGHT_FILE = /^(model|consolidated|adapter_model)[^/]*\.safetensors$/;
const ADAPTER = /^adapter_/;
const ADAPTER_CONFIG = 'adapter_config.json';

/**
 * A Hugging Face folder: config.json with model.safetensors, or its parts by model.safetensors.index.json. Only headers are read.
 * Throws MissingError naming the file that is missing, FileFormatError for a damaged one.
 */
export async function openFolder(files: FileAccess, options: OpenOptions = {}): Promise<Checkpoint> {
  const stored = await openSafetensors(files, options.weights);
  const whole = unwrapNames(stored);
  const { weights, config } = languageModel(whole, await readConfig(files));
  return await assembleCheckpoint({
    ...unscaleFloats(weights, config),
    files,
    notes: await unreadFiles(files, new Set(stored.sources.map(({ name }) => name))),
    provenance: await describeOrigin(files, options),
  });
}

/** Sentences about weight files that lie beside those that are read: other programs may take them, or add an adapter. */
async function unreadFiles(files: FileAccess, read: ReadonlySet<string>): Promise<string[]> {
  const names = await files.list();
  const beside: string[] = [];
  for (const name of names.filter((each) => WEIGHT_FILE.test(each) && !read.has(each)).sort())
    if (await files.open(name)) beside.push(name);
  const others = beside.filter((name) => !ADAPTER.test(name));
  const hasAdapter =
    beside.length > others.length || (names.includes(ADAPTER_CONFIG) && (await files.open(ADAPTER_CONFIG)));
  return [
    ...(hasAdapter
      ? [
          `An adapter lies beside the weights of ${files.name} and is not applied. Merge it into the model, e.g. with merge_and_unload() of peft, if it belongs to it.`,
        ]
      : []),
    ...(others.length > 0
      ? [
          `Read is ${[...read].slice(0, 3).join(', ')}${read.size > 3 ? ', …' : ''}; not read of the same folder: ${others.slice(0, 3).join(', ')}${others.length > 3 ? ', …' : ''}.`,
        ]
      : []),
  ];
}

/** config.json of a folder. Throws MissingError when there is none. */
export async function readConfig(files: FileAccess): Promise<JsonRecord> {
  const source = await files.open('config.json');
  if (!source)
    throw new MissingError(`${files.name} has no config.json. Put the model's config.json beside its weights.`);
  return parseJsonRecord(await readWhole(source, JSON_LIMITS.config), source.name);
}

/** Name, revision and, from the model card's front matter, licence. */
export async function describeOrigin(
  files: FileAccess,
  options: OpenOptions,
): Promise<{ name: string; revision?: string; licence?: string }> {
  const licence = await readLicence(files);
  return {
    name: options.name ?? files.name,
    ...(options.revision === undefined ? {} : { revision: options.revision }),
    ...(licence === undefined ? {} : { licence }),
  };
}

async function readLicence(files: FileAccess): Promise<string | undefined> {
  const card = await files.open('README.md');
  if (!card) return undefined;
  const text = new TextDecoder().decode(await card.read(0, Math.min(card.byteLength, 64 << 10)));
  const frontMatter = /^---\r?\n([\s\S]*?)\r?\n---/.exec(text)?.[1];
  if (frontMatter === undefined) return undefined;
  try {
    const fields = load(frontMatter);
    const licence = isRecord(fields) ? fields.license : undefined;
    // Several, or "other" with a name of its own, as hubs have them.
    const name = licence === 'other' && isRecord(fields) ? (fields.license_name ?? licence) : licence;
    const told = Array.isArray(name) ? name.join(', ') : name;
    return typeof told === 'string' && told !== '' ? told.slice(0, 200) : undefined;
  } catch {
    // No YAML: the card says nothing that could be told.
    return undefined;
  }
}

async function openSafetensors(files: FileAccess, chosen: string | undefined): Promise<Weights> {
  if (chosen !== undefined && chosen !== INDEX) return safetensorsWeights([await openPart(files, chosen)]);
  const single = chosen === INDEX ? undefined : await files.open(SINGLE);
  if (single) return safetensorsWeights([single]);
  const index = await files.open(INDEX);
  if (index) return openSharded(files, index);
  const others = (await files.list()).filter((name) => name.endsWith('.safetensors') && !name.includes('/'));
  const [only] = others;
  if (only !== undefined && others.length === 1) return safetensorsWeights([await openPart(files, only)]);
  if (only !== undefined) {
    throw new MissingError(
      `${files.name} has ${others.length} safetensors files (${others.slice(0, 3).join(', ')}, …) but no ${INDEX} that says how they belong together. Add it.`,
    );
  }
  throw new MissingError(`${files.name} has no ${SINGLE} and no ${INDEX}. Put the weights beside config.json.`);
}

async function openPart(files: FileAccess, name: string): Promise<ByteSource> {
  const source = await files.open(name);
  if (!source) throw new MissingError(`${files.name} has no file ${quote(name)}.`);
  return source;
}

async function openSharded(files: FileAccess, index: ByteSource): Promise<Weights> {
  const { weight_map: map } = parseJsonRecord(await readWhole(index, JSON_LIMITS.index), index.name);
  if (!isRecord(map))
    throw new FileFormatError(
      `${index.name} has no weight_map that assigns tensors to files. Take the index that was saved with the weights.`,
    );
  const places = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== 'string')
      throw new FileFormatError(`${index.name}: the weight_map entry of ${quote(tensor)} is not a file name.`);
    places.set(tensor, checkInnerName(file.replace(/^(\.\/)+/, ''), index.name));
  }
  const names = new Set(places.values());
  const sources: ByteSource[] = [];
  const missing: string[] = [];
  for (const name of [...names].sort()) {
    const source = await files.open(name);
    if (source) sources.push(source);
    else missing.push(name);
  }
  if (missing.length > 0) {
    const list = missing.slice(0, 5).join(', ') + (missing.length > 5 ? ', …' : '');
    throw new MissingError(
      `${files.name} lacks ${missing.length} of the ${names.size} weight files that ${INDEX} names: ${list}. Add them.`,
    );
  }
  const weights = await safetensorsWeights(sources, places);
  for (const tensor of places.keys()) {
    if (!weights.tensors.has(tensor))
      throw new MissingError(
        `${index.name} promises the tensor ${quote(tensor)}, but no weight file has it: they are of different versions. Fetch all of them again, from one revision.`,
      );
  }
  return weights;
}
