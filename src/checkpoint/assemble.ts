import type { ByteSource, Checkpoint, Provenance, TensorInfo } from './checkpoint.ts';
import type { FileAccess } from './files/files.ts';
import type { JsonRecord } from './files/json.ts';
import { sha256OfSource, sha256OfText } from './files/sha256.ts';
import { checkFinite } from './finite.ts';
import { EMBEDDING, HEAD } from './tensor-names.ts';
import { companionFiles } from './tokenizer/companion-files.ts';
import { missingTensor, type RowRange, type Weights } from './weights.ts';

/** Names of the embedding and of the output matrix in files of families that have names of their own, too. */
const EMBEDDINGS = [
  EMBEDDING,
  ...['transformer.wte', 'wte', 'gpt_neox.embed_in', 'embed_in'].map((module) => `${module}.weight`),
  ...['model.decoder.embed_tokens', 'decoder.embed_tokens'].map((module) => `${module}.weight`),
];
const HEADS = [HEAD, 'embed_out.weight'];

/** What a Checkpoint is made of. Companion files come from `files`, or from `companion` where they have to be made (from GGUF metadata). */
export interface CheckpointParts {
  readonly weights: Weights;
  readonly config: JsonRecord;
  readonly provenance: Omit<Provenance, 'format'>;
  readonly files?: FileAccess;
  readonly companion?: (name: string) => Promise<Uint8Array | undefined>;
  /** What else people should know of the files, in sentences. */
  readonly notes?: readonly string[];
}

/**
 * Puts weights, config and companion files together.
 * A tied embedding (config `tie_word_embeddings`, or only one of the two present and no word to the contrary) has one entry in `tensors`,
 * `model.embed_tokens.weight`, and is read under both names, whichever of them the file uses. An output matrix that differs from the embedding
 * is one of its own unless the config denies it; then `config` says so too, and a note tells it where it said otherwise.
 */
export async function assembleCheckpoint(parts: CheckpointParts): Promise<Checkpoint> {
  const { weights, files, companion } = parts;
  const ownHead = isUntied(parts.config) ? undefined : await ownHeadOf(weights);
  const config = ownHead === undefined ? parts.config : untied(parts.config);
  const tied = tieEmbedding(weights.tensors, config);
  let digest: Promise<string> | undefined;
  const fileOf = companion ?? (files && companionFiles(files));
  return {
    provenance: { ...parts.provenance, format: weights.format },
    config,
    tensors: tied.tensors,
    notes: [
      ...(parts.notes ?? []),
      ...(ownHead !== undefined && TIES.some((key) => parts.config[key] === true)
        ? [
            `config.json ties the output matrix to the embedding, but ${ownHead} is there and differs from it: it is used.`,
          ]
        : []),
    ],
    byteLength: weights.sources.reduce((sum, source) => sum + source.byteLength, 0),
    async read(name: string, rows?: RowRange): Promise<Float32Array> {
      const stored = tied.storedName(name);
      if (!weights.tensors.has(stored)) missingTensor(name, parts.provenance.name, tied.tensors);
      const values = await weights.read(stored, rows);
      const { shape = [] } = weights.tensors.get(stored) ?? {};
      checkFinite(values, { model: parts.provenance.name, name: stored, shape, firstRow: rows?.start ?? 0 });
      return values;
    },
    async file(name: string): Promise<Uint8Array | undefined> {
      return fileOf?.(name);
    },
    sha256(): Promise<string> {
      digest ??= sha256OfWeights(weights.sources).catch((error: unknown) => {
        digest = undefined;
        throw error;
      });
      return digest;
    },
  };
}

/** Keys that say whether the output matrix is the embedding; a family that says nothing may tie them all the same. */
const TIES = ['tie_word_embeddings', 'tie_embedding'];

const isUntied = (config: JsonRecord) => TIES.some((key) => config[key] === false);

function untied(config: JsonRecord): JsonRecord {
  const others = TIES.filter((key) => config[key] !== undefined).map((key) => [key, false] as const);
  return { ...config, ...Object.fromEntries(others), tie_word_embeddings: false };
}

/** The output matrix that differs from the embedding beside it; undefined where there is none. */
async function ownHeadOf(weights: Weights): Promise<string | undefined> {
  const [embedding, head] = [EMBEDDINGS, HEADS].map((names) => names.find((name) => weights.tensors.has(name)));
  return embedding !== undefined && head !== undefined && (await differs(weights, embedding, head)) ? head : undefined;
}

/** Elements that are compared at once. */
const COMPARED = 1 << 20;

/** Whether both tensors are there and differ in any element. */
async function differs({ tensors, read }: Weights, first: string, second: string): Promise<boolean> {
  const [a, b] = [tensors.get(first), tensors.get(second)];
  if (!a || !b) return false;
  const [rows = 1, columns = 1] = a.shape;
  if (a.shape.join() !== b.shape.join()) return true;
  const step = Math.max(1, Math.floor(COMPARED / columns));
  for (let start = 0; start < rows; start += step) {
    const range = { start, end: Math.min(rows, start + step) };
    const [left, right] = await Promise.all([read(first, range), read(second, range)]);
    if (left.some((value, at) => value !== right[at])) return true;
  }
  return false;
}

function tieEmbedding(stored: ReadonlyMap<string, TensorInfo>, config: JsonRecord) {
  const has = { embedding: stored.has(EMBEDDING), head: stored.has(HEAD) };
  const says = config.tie_word_embeddings;
  const isTied = says === true || (says !== false && has.embedding !== has.head);
  if (!isTied || !(has.embedding || has.head)) return { tensors: stored, storedName: (name: string) => name };
  const source = has.embedding ? EMBEDDING : HEAD;
  const tensors = new Map<string, TensorInfo>();
  for (const [name, info] of stored) {
    if (name === source) tensors.set(EMBEDDING, { ...info, name: EMBEDDING });
    else if (name !== HEAD && name !== EMBEDDING) tensors.set(name, info);
  }
  return { tensors, storedName: (name: string) => (name === EMBEDDING || name === HEAD ? source : name) };
}

/** One file: its digest, as the hub shows it. Several: the digest of the lines that `sha256sum` prints for them, sorted by name. */
async function sha256OfWeights(sources: readonly ByteSource[]): Promise<string> {
  const digests: string[] = [];
  for (const source of sources) digests.push(await sha256OfSource(source));
  if (sources.length === 1) return digests[0] as string;
  const lines = sources.map((source, i) => ({ name: source.name, digest: digests[i] as string }));
  lines.sort((a, b) => (a.name < b.name ? -1 : 1));
  return sha256OfText(lines.map(({ name, digest }) => `${digest}  ${name}\n`).join(''));
}
