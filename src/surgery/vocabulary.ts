import type { Checkpoint, TensorInfo } from '../checkpoint/checkpoint.ts';
import { type JsonRecord, parseJsonRecord } from '../checkpoint/files/json.ts';
import { namedIds } from '../checkpoint/tokenizer/trim/needed.ts';
import {
  renumbering,
  trimmedIds,
  trimmedTokenizer,
  trimmedTokenizerConfig,
} from '../checkpoint/tokenizer/trim/rewrite.ts';
import { MissingError, UnsupportedError } from '../errors.ts';

const EMBEDDING = 'model.embed_tokens.weight';
const HEAD = 'lm_head.weight';

/** Files that hold the vocabulary a second time, in an order that tokenizer.json does not need. */
const DOUBLED = ['vocab.json', 'merges.txt', 'added_tokens.json'];

/** Values of the whole table that are read at a time. */
const CHUNK = 1 << 22;

/**
 * A view of a checkpoint with the kept tokens only: their rows of the embedding and of the output matrix, tokenizer files and ids of configs rewritten. Logits of kept tokens
 * are the dense model's where the input is the same. `kept` are old ids, ascending; token i of the result is the i-th of them. Throws MissingError without tokenizer.json, and UnsupportedError where a token
 * goes that configs or the template around a text name.
 */
export async function trimmedCheckpoint(checkpoint: Checkpoint, kept: readonly number[]): Promise<Checkpoint> {
  const newIds = renumbering(kept);
  const json = async (name: string) => {
    const bytes = await checkpoint.file(name);
    return bytes && parseJsonRecord(bytes, name);
  };
  const tokenizer = await json('tokenizer.json');
  if (!tokenizer)
    throw new MissingError(
      `${checkpoint.provenance.name} has no tokenizer.json, so its vocabulary cannot be made smaller. Put it beside config.json.`,
    );
  checkNamed(tokenizer, { 'config.json': checkpoint.config, ...(await generationOf(json)) }, newIds);
  const encode = (value: JsonRecord) => new TextEncoder().encode(JSON.stringify(value));
  const tokenizerConfig = await json('tokenizer_config.json');
  const generationConfig = await json('generation_config.json');
  const rewritten = new Map<string, Uint8Array>([['tokenizer.json', encode(trimmedTokenizer(tokenizer, newIds))]]);
  if (tokenizerConfig) rewritten.set('tokenizer_config.json', encode(trimmedTokenizerConfig(tokenizerConfig, newIds)));
  if (generationConfig) rewritten.set('generation_config.json', encode(trimmedIds(generationConfig, newIds)));
  const tensors = new Map(
    [...checkpoint.tensors].map(([name, info]) => [name, isTable(name) ? withRows(info, kept.length) : info]),
  );
  return {
    ...checkpoint,
    config: { ...trimmedIds(checkpoint.config, newIds), vocab_size: kept.length },
    tensors,
    byteLength: checkpoint.byteLength - savedBytes(checkpoint, tensors),
    async file(name) {
      return DOUBLED.includes(name) ? undefined : (rewritten.get(name) ?? (await checkpoint.file(name)));
    },
    read: (name, rows) => (isTable(name) ? readRows(checkpoint, name, kept, rows) : checkpoint.read(name, rows)),
  };
}

/** The same checkpoint with so many tokens, for what is asked of its layout: nothing of the tables can be read. */
export function layoutWithTokens(checkpoint: Checkpoint, tokens: number): Checkpoint {
  return {
    ...checkpoint,
    config: { ...checkpoint.config, vocab_size: tokens },
    tensors: new Map(
      [...checkpoint.tensors].map(([name, info]) => [name, isTable(name) ? withRows(info, tokens) : info]),
    ),
  };
}

type ReadJson = (name: string) => Promise<JsonRecord | undefined>;

async function generationOf(json: ReadJson): Promise<Readonly<Record<string, JsonRecord>>> {
  const generation = await json('generation_config.json');
  return generation ? { 'generation_config.json': generation } : {};
}

/** Throws UnsupportedError where a token that files name would go: a model without its end never stops. */
function checkNamed(
  tokenizer: JsonRecord,
  configs: Readonly<Record<string, JsonRecord>>,
  newIds: ReadonlyMap<number, number>,
): void {
  const size = Number(configs['config.json']?.vocab_size);
  for (const [id, where] of namedIds(tokenizer, configs))
    if (id < size && !newIds.has(id))
      throw new UnsupportedError(
        `The token ${id} would go, and ${where} needs it. Keep it too, or choose tokens by "trimVocabulary", which does.`,
      );
}

const isTable = (name: string) => name === EMBEDDING || name === HEAD;

function withRows(info: TensorInfo, rows: number): TensorInfo {
  const [before = rows, ...rest] = info.shape;
  return { ...info, shape: [rows, ...rest], byteLength: Math.round((info.byteLength * rows) / before) };
}

function savedBytes(checkpoint: Checkpoint, tensors: ReadonlyMap<string, TensorInfo>): number {
  return [...checkpoint.tensors].reduce(
    (sum, [name, info]) => sum + info.byteLength - (tensors.get(name)?.byteLength ?? info.byteLength),
    0,
  );
}

/** Rows of the kept tokens, from pieces of the whole table that lie between the first and the last of them. */
async function readRows(
  checkpoint: Checkpoint,
  name: string,
  kept: readonly number[],
  rows: { readonly start: number; readonly end: number } = { start: 0, end: kept.length },
): Promise<Float32Array> {
  const wanted = kept.slice(rows.start, rows.end);
  const columns = (checkpoint.tensors.get(name) ?? checkpoint.tensors.get(EMBEDDING))?.shape[1] ?? 0;
  const result = new Float32Array(wanted.length * columns);
  const step = Math.max(1, Math.floor(CHUNK / columns));
  for (let from = 0; from < wanted.length; ) {
    const start = wanted[from] as number;
    let to = from;
    while (to < wanted.length && (wanted[to] as number) < start + step) to++;
    const end = (wanted[to - 1] as number) + 1;
    const table = await checkpoint.read(name, { start, end });
    for (let row = from; row < to; row++) {
      const at = ((wanted[row] as number) - start) * columns;
      result.set(table.subarray(at, at + columns), row * columns);
    }
    from = to;
  }
  return result;
}
