import { DeviceError, MismatchError } from '../errors.ts';
import type { DeviceTensor, Runtime, Session } from '../runtime/runtime.ts';
import { greatestGraph, shortlistGraph } from './shortlist-graph.ts';

/** What is known of the logits of one position without reading all of them. */
export interface Shortlist {
  /** The greatest logits first, equal ones by id. */
  readonly ids: readonly number[];
  readonly logits: Float32Array;
  /** Sum of exp(logit - greatest logit) over the vocabulary. */
  readonly total: number;
  /** The same of exp((logit - greatest logit) / temperature); undefined when no temperature was given. */
  readonly temperedTotal: number | undefined;
}

/** What a sampler asks for: so many of the greatest logits, and the tempered total where it has a temperature. */
export interface ShortlistRequest {
  readonly count: number;
  readonly temperature?: number | undefined;
}

/**
 * Takes what choosing a token needs from logits where they are: on the CPU and on WebAssembly, vectorised sums in double precision and a partial sort
 * instead of JavaScript over the whole vocabulary; on WebGPU the greatest alone, because ONNX Runtime 1.30 sorts on the CPU. Compiled on first use.
 */
export class Shortlister implements Disposable {
  readonly #runtime: Runtime;
  readonly #vocabulary: number;
  readonly #sessions = new Map<string, Promise<Session>>();

  constructor(runtime: Runtime, vocabulary: number) {
    this.#runtime = runtime;
    this.#vocabulary = vocabulary;
  }

  /** From logits [.., vocabulary] of one position, which stay the caller's; undefined when the backend cannot give what is asked for. Throws DeviceError for logits that are not finite. */
  async of(logits: DeviceTensor, { count, temperature }: ShortlistRequest): Promise<Shortlist | undefined> {
    const shape = logits.shape;
    if (shape.length !== 3 || shape[0] !== 1 || shape[1] !== 1 || shape[2] !== this.#vocabulary) return undefined;
    if (this.#runtime.backend === 'webgpu') return count === 1 && temperature === undefined ? this.#greatest(logits) : undefined;
    const entries = Math.min(count, this.#vocabulary);
    const key = `${entries} ${temperature !== undefined}`;
    const session = await this.#session(key, () => shortlistGraph(this.#vocabulary, entries, temperature !== undefined));
    using given = temperature === undefined ? undefined : this.#runtime.upload({ dataType: 'float64', shape: [1], data: Float64Array.of(temperature) });
    const results = await session.run({ logits, ...(given ? { temperature: given } : {}) });
    try {
      const [ids, values, total, temperedTotal] = await Promise.all(
        ['ids', 'values', 'total', 'tempered_total'].map(async (name) => results[name] && (await this.#runtime.read(results[name])).data),
      );
      if (!(ids instanceof BigInt64Array && values instanceof Float32Array && total instanceof Float64Array))
        throw new MismatchError('The shortlist of logits came back in other number types than its graph declares.');
      checkFinite(total[0]);
      return {
        ids: Array.from(ids, Number),
        logits: values,
        total: total[0],
        temperedTotal: temperedTotal instanceof Float64Array ? temperedTotal[0] : undefined,
      };
    } finally {
      for (const tensor of Object.values(results)) tensor.dispose();
    }
  }

  async #greatest(logits: DeviceTensor): Promise<Shortlist> {
    const session = await this.#session('greatest', () => greatestGraph(this.#vocabulary));
    const { choice } = await session.run({ logits });
    using tensor = choice as DeviceTensor;
    const { data } = await this.#runtime.read(tensor);
    const [id = 0, logit = Number.NaN, total] = data as Float32Array;
    checkFinite(total);
    return { ids: [id], logits: Float32Array.of(logit), total, temperedTotal: undefined };
  }

  #session(key: string, graph: () => ReturnType<typeof greatestGraph>): Promise<Session> {
    const known = this.#sessions.get(key);
    if (known) return known;
    const made = this.#runtime.createSession(graph(), { label: `shortlist ${key}`, frequentRuns: true });
    this.#sessions.set(key, made);
    // A failure is told to who asked; the next one tries again.
    made.catch(() => this.#sessions.delete(key));
    return made;
  }

  dispose(): void {
    for (const session of this.#sessions.values()) void session.then((live) => live.dispose()).catch(() => undefined);
    this.#sessions.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** One NaN or infinite logit makes the sum one, too. Throws DeviceError for it. */
export function checkFinite(total: number | undefined): asserts total is number {
  if (total === undefined || !Number.isFinite(total))
    throw new DeviceError('The decoder gave logits that are not finite numbers, so no token is chosen from them. Use f32 weights, or the wasm or cpu backend.');
}
