import { MismatchError, UnsupportedError, UsageError } from '../errors.ts';
import type { Graph, ValueInfo } from '../onnx/graph.ts';
import type { DeviceTensor, Runtime, Session, SessionOptions } from '../runtime/runtime.ts';
import { type CacheSlot, fixedCache, growingCache, type KeyValueCache } from './cache.ts';
import { CapturedStep } from './captured-step.ts';

export interface OpenDecoderOptions {
  readonly externalData?: SessionOptions['externalData'];
  readonly label?: string | undefined;
  /** Whether all attention is GroupQueryAttention, so that a cache of full length can be written in place. Default false: the cache grows. */
  readonly fixedCache?: boolean | undefined;
  /** The same model as a decoder of single tokens, to be captured on WebGPU; it must have the same caches. */
  readonly singleToken?: { readonly graph: Graph; readonly capacity: number } | undefined;
}

/** Tokens of a prompt that are processed at once; more would only make intermediate tensors larger. */
const PREFILL_CHUNK = 512;

/** Compiles a decoder: an exported model, or one of the same interface (onnx-community). Throws UnsupportedError naming an input that is not known. */
export async function openDecoder(runtime: Runtime, model: Graph | Uint8Array | { readonly path: string }, options: OpenDecoderOptions = {}): Promise<Decoder> {
  const { externalData, label = 'decoder', fixedCache: fixed = false, singleToken } = options;
  const files = externalData ? { externalData } : {};
  const session = await runtime.createSession(model, { label, ...files });
  try {
    if (!singleToken || !fixed || runtime.backend !== 'webgpu') return new Decoder(runtime, session, label, fixed);
    const { graph, capacity } = singleToken;
    const step = await runtime.createSession(graph, { label: `${label}, token by token`, graphCapture: true, ...files });
    const vocabulary = graph.outputs.find(({ name }) => name === 'logits')?.shape.at(-1);
    return new Decoder(runtime, session, label, fixed, new CapturedStep(runtime, step, cacheSlots(session, label), capacity, Number(vocabulary)));
  } catch (error) {
    session.dispose();
    throw error;
  }
}

/** A compiled decoder; sequences run on it one after the other. */
export class Decoder implements Disposable {
  readonly label: string;
  readonly #runtime: Runtime;
  readonly #session: Session;
  readonly #slots: readonly CacheSlot[];
  readonly #fixed: boolean;
  readonly #step: CapturedStep | undefined;

  /** Owns `session` and `step`. */
  constructor(runtime: Runtime, session: Session, label: string, fixed: boolean, step?: CapturedStep) {
    this.#runtime = runtime;
    this.#session = session;
    this.label = label;
    this.#slots = cacheSlots(session, label);
    // WebAssembly copies inputs and outputs, so that a full-length cache would be copied as a whole for every token.
    this.#fixed = fixed && runtime.backend !== 'wasm';
    this.#step = step;
  }

  /** An empty sequence that can hold `capacity` tokens. The caller disposes it. */
  start(capacity: number): Sequence {
    if (!Number.isInteger(capacity) || capacity < 1) throw new UsageError(`A sequence of ${capacity} tokens was asked for; give a whole number from 1.`);
    const shared = this.#step?.borrow(capacity);
    if (shared) return new Sequence(this.#runtime, this.#session, shared, capacity, this.label, this.#step);
    const cache = this.#fixed ? fixedCache(this.#runtime, this.#slots, capacity) : growingCache(this.#runtime, this.#slots);
    return new Sequence(this.#runtime, this.#session, cache, capacity, this.label);
  }

  dispose(): void {
    this.#session.dispose();
    this.#step?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** One text on its way through a decoder, with its cache. */
export class Sequence implements Disposable {
  readonly capacity: number;
  readonly #runtime: Runtime;
  readonly #session: Session;
  readonly #cache: KeyValueCache;
  readonly #label: string;
  readonly #step: CapturedStep | undefined;
  #length = 0;
  #marked = 0;

  /** Owns `cache`; with `step` it is that one's. */
  constructor(runtime: Runtime, session: Session, cache: KeyValueCache, capacity: number, label: string, step?: CapturedStep) {
    this.#runtime = runtime;
    this.#session = session;
    this.#cache = cache;
    this.capacity = capacity;
    this.#label = label;
    this.#step = step;
  }

  /** Tokens so far. */
  get length(): number {
    return this.#length;
  }

  /** Appends tokens and returns the logits [vocabulary] after the last of them. `onChunk` tells how many tokens of a long prompt are done. */
  async append(tokenIds: readonly number[], onChunk?: (done: number) => void): Promise<Float32Array> {
    this.#checkRoom(tokenIds.length);
    const [single] = tokenIds;
    if (this.#step && tokenIds.length === 1 && single !== undefined) {
      const position = this.#length;
      const logits = await this.#step.run(single, position, async () => (await this.#run(tokenIds, 1)).data);
      this.#length = position + 1;
      onChunk?.(1);
      return logits;
    }
    let logits: Float32Array = new Float32Array();
    for (let start = 0; start < tokenIds.length; start += PREFILL_CHUNK) {
      const chunk = tokenIds.slice(start, start + PREFILL_CHUNK);
      const { data, vocabulary } = await this.#run(chunk, 1);
      logits = data.subarray(data.length - vocabulary);
      onChunk?.(start + chunk.length);
    }
    return logits;
  }

  /** Appends tokens and returns the logits [tokens, vocabulary] after each of them, in one run. */
  async appendForAllLogits(tokenIds: readonly number[]): Promise<Float32Array> {
    this.#checkRoom(tokenIds.length);
    return (await this.#run(tokenIds, 0)).data;
  }

  /** Marks the present end, so that `rewind` comes back to it: several continuations of one context. */
  mark(): void {
    this.#cache.mark();
    this.#marked = this.#length;
  }

  /** Drops all tokens after the mark; all, when nothing was marked. */
  rewind(): void {
    this.#cache.rewind();
    this.#length = this.#marked;
  }

  [Symbol.dispose](): void {
    this.#cache[Symbol.dispose]();
  }

  #checkRoom(count: number): void {
    if (count === 0) throw new UsageError(`${this.#label}: no tokens were given; a decoder needs at least one.`);
    if (this.#length + count > this.capacity)
      throw new UsageError(`${this.#label}: the sequence has ${this.#length} of ${this.capacity} tokens and cannot take ${count} more.`);
  }

  async #run(tokenIds: readonly number[], keep: number): Promise<{ data: Float32Array; vocabulary: number }> {
    const total = this.#length + tokenIds.length;
    const made: Record<string, DeviceTensor> = {};
    for (const { name } of this.#session.inputs) {
      const values = inputValues(name, tokenIds, this.#length, keep);
      if (values) made[name] = this.#runtime.upload({ dataType: 'int64', shape: values.shape, data: values.data });
    }
    try {
      const outputs = await this.#session.run({ ...made, ...this.#cache.feeds() }, { into: this.#cache.targets() });
      using logits = outputs.logits as DeviceTensor;
      this.#cache.advance(outputs);
      this.#length = total;
      const read = await this.#runtime.read(logits);
      if (!(read.data instanceof Float32Array)) throw new MismatchError(`${this.#label}: the logits are ${read.dataType}; they must be float32.`);
      return { data: read.data, vocabulary: read.shape.at(-1) ?? 0 };
    } finally {
      for (const tensor of Object.values(made)) tensor.dispose();
    }
  }
}

/** The integer inputs of decoders that transformers.js feeds, and what it feeds them. Undefined for caches. */
function inputValues(name: string, tokenIds: readonly number[], past: number, keep: number) {
  const count = tokenIds.length;
  switch (name) {
    case 'input_ids':
      return { shape: [1, count], data: BigInt64Array.from(tokenIds, BigInt) };
    case 'attention_mask':
      return { shape: [1, past + count], data: new BigInt64Array(past + count).fill(1n) };
    case 'position_ids':
      return { shape: [1, count], data: BigInt64Array.from(tokenIds, (_, index) => BigInt(past + index)) };
    case 'num_logits_to_keep':
      return { shape: [], data: BigInt64Array.of(BigInt(keep)) };
    default:
      return undefined;
  }
}

function cacheSlots(session: Session, label: string): CacheSlot[] {
  return session.inputs.flatMap((input) => {
    if (inputValues(input.name, [], 0, 0)) return [];
    return [cacheSlot(input, session, label)];
  });
}

function cacheSlot({ name, dataType, shape }: ValueInfo, session: Session, label: string): CacheSlot {
  const present = name.replace('past_key_values', 'present');
  const [, heads, , headDimension] = shape;
  const isFloat = dataType === 'float32' || dataType === 'float16';
  if (!/^past_key_values\.\d+\.(key|value)$/.test(name) || !session.outputNames.includes(present) || !isFloat)
    throw new UnsupportedError(
      `${label}: the input ${name} is not known; decoders have input_ids, attention_mask, position_ids, num_logits_to_keep and past_key_values.{layer}.key|value.`,
    );
  if (shape.length !== 4 || typeof heads !== 'number' || typeof headDimension !== 'number')
    throw new UnsupportedError(
      `${label}: the cache ${name} has shape [${shape.join(', ')}]; it must be [batch, heads, past, head dimension] with numbers for heads and dimension.`,
    );
  return { past: name, present, dataType, heads, headDimension };
}
