import { MismatchError } from '../errors.ts';
import type { DeviceTensor, Runtime, Session } from '../runtime/runtime.ts';
import { type CacheSlot, fixedCache, type KeyValueCache } from './cache.ts';

/** Tokens that are compared: the one that is recorded, and two that are replayed. */
const PROOFS = 3;
/** Of the largest logit. Kernels for single tokens may add in another order. */
const TOLERANCE = 1e-3;

/** Inputs of a decoder of single tokens that are written anew for every token. */
interface StepInputs {
  readonly input_ids: DeviceTensor;
  readonly last_position: DeviceTensor;
  readonly total_sequence_length: DeviceTensor;
}

/**
 * Decoding of single tokens by graph capture: the first run is recorded and every later one replayed, which spares ONNX Runtime's own work
 * for each of the some hundred dispatches of a token. All tensors stay the same, the cache among them, so one sequence at a time can use it.
 */
export class CapturedStep implements Disposable {
  readonly capacity: number;
  readonly #runtime: Runtime;
  readonly #session: Session;
  readonly #cache: KeyValueCache;
  readonly #inputs: StepInputs;
  readonly #logits: DeviceTensor;
  #isLent = false;
  #proofs = 0;
  #isBroken = false;

  /** `session` runs a decoder with `singleToken`; it is disposed with this. */
  constructor(runtime: Runtime, session: Session, slots: readonly CacheSlot[], capacity: number, vocabulary: number) {
    this.capacity = capacity;
    this.#runtime = runtime;
    this.#session = session;
    this.#cache = fixedCache(runtime, slots, capacity);
    this.#inputs = {
      input_ids: runtime.allocate('int64', [1, 1]),
      last_position: runtime.allocate('int32', [1]),
      total_sequence_length: runtime.allocate('int32', []),
    };
    this.#logits = runtime.allocate('float32', [1, vocabulary]);
  }

  /** The cache, for one sequence until it gives it back; undefined while another has it, when it is too small, or when capture does not work here. */
  borrow(capacity: number): KeyValueCache | undefined {
    if (this.#isLent || this.#isBroken || capacity > this.capacity) return undefined;
    this.#isLent = true;
    return {
      ...this.#cache,
      [Symbol.dispose]: () => {
        this.#isLent = false;
      },
    };
  }

  /**
   * Logits [vocabulary] after the token at `position`, whose keys and values join the cache. The first tokens are run by `plainly` too: what a
   * driver cannot record would come back as an old result. When the two differ, or recording fails, everything is run plainly from then on.
   */
  async run(tokenId: number, position: number, plainly: () => Promise<Float32Array>): Promise<Float32Array> {
    if (this.#isBroken) return plainly();
    if (this.#proofs >= PROOFS) return this.#replay(tokenId, position);
    const found = await this.#replay(tokenId, position).catch(() => undefined);
    const expected = await plainly();
    if (found && isClose(found, expected)) this.#proofs += 1;
    else this.#isBroken = true;
    return expected;
  }

  async #replay(tokenId: number, position: number): Promise<Float32Array> {
    const { input_ids: ids, last_position: last, total_sequence_length: total } = this.#inputs;
    await Promise.all([
      this.#runtime.write(ids, BigInt64Array.of(BigInt(tokenId))),
      this.#runtime.write(last, Int32Array.of(position)),
      this.#runtime.write(total, Int32Array.of(position + 1)),
    ]);
    await this.#session.run(
      { ...this.#inputs, ...this.#cache.feeds() },
      { into: { logits: this.#logits, ...this.#cache.targets() } },
    );
    const { data, dataType } = await this.#runtime.read(this.#logits);
    if (!(data instanceof Float32Array)) throw new MismatchError(`The logits are ${dataType}; they must be float32.`);
    return data;
  }

  dispose(): void {
    this.#session.dispose();
    this.#cache[Symbol.dispose]();
    for (const tensor of [...Object.values(this.#inputs), this.#logits]) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function isClose(found: Float32Array, expected: Float32Array): boolean {
  let scale = 1;
  let difference = 0;
  expected.forEach((value, index) => {
    scale = Math.max(scale, Math.abs(value));
    difference = Math.max(difference, Math.abs(value - (found[index] ?? Number.NaN)));
  });
  return difference <= TOLERANCE * scale;
}
