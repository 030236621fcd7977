import { UsageError } from '../errors.ts';
import type { DataType, Graph } from '../onnx/graph.ts';
import type { DeviceTensor, Runtime, Session, SessionOptions } from '../runtime/runtime.ts';
import {
  type CacheSlot,
  fixedCache,
  growingCache,
  joinedCaches,
  type KeyValueCache,
  type StateSlot,
  stateCache,
} from './cache.ts';
import { CacheShelf } from './cache-shelf.ts';
import { CapturedStep } from './captured-step.ts';
import { cachesOf } from './decoder-caches.ts';
import { readLogits, runDecoder } from './decoder-run.ts';
import { type Choice, chooseFrom, type Sampler } from './sampling.ts';
import { SequenceBatch } from './sequence-batch.ts';
import { Shortlister } from './shortlist.ts';

export interface OpenDecoderOptions {
  readonly externalData?: SessionOptions['externalData'];
  readonly label?: string | undefined;
  /** Whether all attention is GroupQueryAttention, so that a cache of full length can be written in place. Default false: the cache grows. */
  readonly fixedCache?: boolean | undefined;
  /** Channels of a head, for models that do not state it in the shapes of their caches. */
  readonly headDimension?: number | undefined;
  /** Disposed with the decoder, such as a runtime of its own. */
  readonly owned?: Disposable | undefined;
  /** The same model as a decoder of single tokens, to be captured on WebGPU; it must have the same caches. */
  readonly singleToken?: { readonly graph: Graph; readonly capacity: number } | undefined;
}

/** Tokens of a prompt that are processed at once; more would only make intermediate tensors larger. */
const PREFILL_CHUNK = 512;

/** From here on a shortlist by the device is faster than one in JavaScript (`npm run bench -- choice`). */
const LARGE_VOCABULARY = 32_768;

/** Compiles a decoder: an exported model, or one of the same interface (onnx-community). Throws UnsupportedError naming an input that is not known. */
export async function openDecoder(
  runtime: Runtime,
  model: Graph | Uint8Array | { readonly path: string },
  options: OpenDecoderOptions = {},
): Promise<Decoder> {
  const { externalData, label = 'decoder', fixedCache: fixed = false, singleToken, owned, headDimension } = options;
  const files = externalData ? { externalData } : {};
  const session = await runtime.createSession(model, { label, ...files });
  try {
    const { slots, states } = cachesOf(session, label, headDimension);
    if (!singleToken || !fixed || runtime.backend !== 'webgpu')
      return new Decoder({ runtime, session, label, fixed, owned, slots, states });
    const { graph, capacity } = singleToken;
    const step = await runtime.createSession(graph, {
      label: `${label}, token by token`,
      graphCapture: true,
      ...files,
    });
    const vocabulary = graph.outputs.find(({ name }) => name === 'logits')?.shape.at(-1);
    return new Decoder({
      runtime,
      session,
      label,
      fixed,
      owned,
      slots,
      states,
      step: new CapturedStep(runtime, step, slots, capacity, Number(vocabulary)),
    });
  } catch (error) {
    session.dispose();
    throw error;
  }
}

export interface DecoderParts {
  readonly runtime: Runtime;
  /** Disposed with the decoder, as `step` and `owned` are. */
  readonly session: Session;
  readonly label: string;
  readonly fixed: boolean;
  readonly slots: readonly CacheSlot[];
  /** Of layers with states beside keys and values. Default: none. */
  readonly states?: readonly StateSlot[];
  readonly step?: CapturedStep | undefined;
  readonly owned?: Disposable | undefined;
}

/** A compiled decoder; sequences run on it one after the other. */
export class Decoder implements Disposable {
  readonly label: string;
  readonly #runtime: Runtime;
  readonly #session: Session;
  readonly #slots: readonly CacheSlot[];
  readonly #states: readonly StateSlot[];
  readonly #fixed: CacheShelf | undefined;
  readonly #step: CapturedStep | undefined;
  readonly #shortlister: Shortlister | undefined;
  readonly #owned: Disposable | undefined;

  constructor({ runtime, session, label, fixed, slots, states = [], step, owned }: DecoderParts) {
    this.#runtime = runtime;
    this.#session = session;
    this.label = label;
    this.#slots = slots;
    this.#states = states;
    // WebAssembly copies inputs and outputs, so that a full-length cache would be copied as a whole for every token.
    this.#fixed =
      fixed && runtime.backend !== 'wasm'
        ? new CacheShelf((capacity) => fixedCache(runtime, slots, capacity))
        : undefined;
    this.#step = step;
    this.#owned = owned;
    const logits = session.outputs.find(({ name }) => name === 'logits');
    const vocabulary = logits?.dataType === 'float32' ? logits.shape.at(-1) : undefined;
    this.#shortlister =
      typeof vocabulary === 'number' && vocabulary >= LARGE_VOCABULARY
        ? new Shortlister(runtime, vocabulary)
        : undefined;
  }

  /** Number format of the key/value cache, and so of the activations. */
  get cacheType(): DataType {
    return this.#slots[0]?.dataType ?? 'float32';
  }

  /** An empty sequence that can hold `capacity` tokens. The caller disposes it. */
  start(capacity: number): Sequence {
    checkWhole(capacity, `A sequence of ${capacity} tokens was`);
    const shared = this.#step?.borrow(capacity);
    const parts = {
      runtime: this.#runtime,
      session: this.#session,
      capacity,
      label: this.label,
      shortlister: this.#shortlister,
    };
    if (shared) return new Sequence({ ...parts, cache: shared, step: this.#step });
    const cache = this.#fixed?.take(capacity) ?? growingCache(this.#runtime, this.#slots);
    if (this.#states.length === 0) return new Sequence({ ...parts, cache });
    return new Sequence({ ...parts, cache: joinedCaches([cache, stateCache(this.#runtime, this.#states)]) });
  }

  /** `count` empty sequences that grow together, each to `capacity` tokens: the weights are read once for all of them. The caller disposes them. */
  startTogether(count: number, capacity: number): SequenceBatch {
    checkWhole(count, `${count} sequences were`);
    checkWhole(capacity, `A sequence of ${capacity} tokens was`);
    const [runtime, session] = [this.#runtime, this.#session];
    const keysAndValues = this.#fixed
      ? fixedCache(runtime, this.#slots, capacity, count)
      : growingCache(runtime, this.#slots, count);
    const cache =
      this.#states.length === 0
        ? keysAndValues
        : joinedCaches([keysAndValues, stateCache(runtime, this.#states, count)]);
    return new SequenceBatch({ runtime, session, cache, count, capacity, label: this.label });
  }

  /** Disposes what is the decoder's own, but not `owned`. */
  release(): void {
    this.#session.dispose();
    this.#step?.dispose();
    this.#shortlister?.dispose();
    this.#fixed?.[Symbol.dispose]();
  }

  dispose(): void {
    this.release();
    this.#owned?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function checkWhole(value: number, what: string): void {
  if (!Number.isInteger(value) || value < 1) throw new UsageError(`${what} asked for; give a whole number from 1.`);
}

export interface SequenceParts {
  readonly runtime: Runtime;
  readonly session: Session;
  /** The sequence's own; with `step` it is that one's. */
  readonly cache: KeyValueCache;
  readonly capacity: number;
  readonly label: string;
  readonly step?: CapturedStep | undefined;
  readonly shortlister?: Shortlister | undefined;
}

/** One text on its way through a decoder, with its cache. */
export class Sequence implements Disposable {
  readonly #parts: SequenceParts;
  readonly #cache: KeyValueCache;
  #length = 0;
  #marked = 0;

  constructor(parts: SequenceParts) {
    this.#parts = parts;
    this.#cache = parts.cache;
  }

  /** Tokens that fit. */
  get capacity(): number {
    return this.#parts.capacity;
  }

  /** Tokens so far. */
  get length(): number {
    return this.#length;
  }

  /** Appends tokens and returns the logits [vocabulary] after the last of them. `onChunk` tells how many tokens of a long prompt are done. */
  async append(tokenIds: readonly number[], onChunk?: (done: number) => void): Promise<Float32Array> {
    const [single] = tokenIds;
    const { step } = this.#parts;
    if (step && tokenIds.length === 1 && single !== undefined) {
      this.#checkRoom(1);
      const position = this.#length;
      const logits = await step.run(single, position, () => this.#lastLogits(tokenIds));
      this.#length = position + 1;
      onChunk?.(1);
      return logits;
    }
    return this.#lastLogits(tokenIds, onChunk);
  }

  /**
   * Appends tokens and chooses the next one after `history`, which ends with them. Of the logits only what the choice needs is read, where
   * sampler and backend allow it; the token is the one that is chosen from all of them.
   */
  async choose(
    tokenIds: readonly number[],
    sampler: Sampler,
    history: Iterable<number>,
    onChunk?: (done: number) => void,
  ): Promise<Choice> {
    const { step, shortlister } = this.#parts;
    if (step && tokenIds.length === 1) return chooseFrom(await this.append(tokenIds, onChunk), sampler, history);
    using logits = await this.#appendInChunks(tokenIds, onChunk);
    const shortlist = sampler.request && (await shortlister?.of(logits, sampler.request));
    const choice = shortlist && sampler.fromShortlist(shortlist, history);
    return choice ?? chooseFrom(lastRow(await this.#read(logits)), sampler, history);
  }

  /** Appends tokens and returns the logits [tokens, vocabulary] after each of them, in one run. */
  async appendForAllLogits(tokenIds: readonly number[]): Promise<Float32Array> {
    this.#checkRoom(tokenIds.length);
    using logits = await this.#run(tokenIds, 0);
    return (await this.#read(logits)).data;
  }

  /**
   * Appends a context, marks its end, and returns the logits [1 + tail, vocabulary] after it and after each token of a tail, which is dropped again. Where dropping is
   * free that is one run: the weights are read once less, a tenth of the time of a task's item.
   */
  async appendMarked(
    context: readonly number[],
    tail: readonly number[],
    onChunk?: (done: number) => void,
  ): Promise<Float32Array> {
    if (!this.#cache.cutsFree || tail.length === 0) {
      const last = await this.#lastLogits(context, onChunk);
      this.mark();
      if (tail.length === 0) return last;
      const rows = new Float32Array((1 + tail.length) * last.length);
      rows.set(last);
      rows.set(await this.appendForAllLogits(tail), last.length);
      this.rewind();
      return rows;
    }
    this.#checkRoom(context.length + tail.length);
    const lead = Math.max(0, context.length - PREFILL_CHUNK);
    if (lead > 0) (await this.#appendInChunks(context.slice(0, lead), onChunk)).dispose();
    using logits = await this.#run([...context.slice(lead), ...tail], 1 + tail.length);
    this.#length -= tail.length;
    this.mark();
    const { data, vocabulary } = await this.#read(logits);
    return data.subarray(data.length - (1 + tail.length) * vocabulary);
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
    const { label, capacity } = this.#parts;
    if (count === 0) throw new UsageError(`${label}: no tokens were given; a decoder needs at least one.`);
    if (this.#length + count > capacity)
      throw new UsageError(
        `${label}: the sequence has ${this.#length} of ${capacity} tokens and cannot take ${count} more.`,
      );
  }

  async #lastLogits(tokenIds: readonly number[], onChunk?: (done: number) => void): Promise<Float32Array> {
    using logits = await this.#appendInChunks(tokenIds, onChunk);
    return lastRow(await this.#read(logits));
  }

  /** The device's logits after the last token: [1, kept, vocabulary]. */
  async #appendInChunks(tokenIds: readonly number[], onChunk?: (done: number) => void): Promise<DeviceTensor> {
    this.#checkRoom(tokenIds.length);
    for (let start = 0; ; start += PREFILL_CHUNK) {
      const chunk = tokenIds.slice(start, start + PREFILL_CHUNK);
      const logits = await this.#run(chunk, 1);
      try {
        onChunk?.(start + chunk.length);
      } catch (error) {
        logits.dispose();
        throw error;
      }
      if (start + chunk.length === tokenIds.length) return logits;
      logits.dispose();
    }
  }

  async #run(tokenIds: readonly number[], keep: number): Promise<DeviceTensor> {
    const { runtime, session } = this.#parts;
    const total = this.#length + tokenIds.length;
    const logits = await runDecoder({ runtime, session, cache: this.#cache }, [tokenIds], this.#length, keep);
    this.#length = total;
    return logits;
  }

  async #read(logits: DeviceTensor): Promise<{ readonly data: Float32Array; readonly vocabulary: number }> {
    return readLogits(this.#parts, logits);
  }
}

/** Decoders of other makers give the logits of all positions. */
function lastRow({ data, vocabulary }: { readonly data: Float32Array; readonly vocabulary: number }): Float32Array {
  return data.subarray(data.length - vocabulary);
}
