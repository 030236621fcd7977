import { DeviceError, MismatchError } from '../errors.ts';
import type { DeviceTensor, Runtime, Session } from '../runtime/runtime.ts';
import { type ShortlistGraphOptions, shortlistGraph } from './shortlist-graph.ts';

/** What is known of the logits of one position without reading all of them. */
export interface Shortlist {
  /** The greatest logits first, equal ones by id. */
  readonly ids: readonly number[];
  readonly logits: Float32Array;
  /** Sum of exp(logit - greatest logit) over the vocabulary. */
  readonly total: number;
  /** The same of exp((logit - greatest logit) / temperature); undefined when no temperature was given. */
  readonly temperedTotal: number | undefined;
  /** How far, relatively, the totals may be from those in double precision. */
  readonly relativeError: number;
}

/** What a sampler asks for: so many of the greatest logits, and the tempered total where it has a temperature. */
export interface ShortlistRequest {
  readonly count: number;
  readonly temperature?: number | undefined;
}

/** Totals in single precision were at most 2e-6 off over 150,000 logits; of sums in double precision only the order differs. */
const RELATIVE_ERROR = { float32: 1e-4, float64: 1e-12 } as const;

/**
 * Takes what choosing a token needs from logits where they are: vectorised sums and a partial sort instead of JavaScript over the whole
 * vocabulary. Only on the CPU and on WebAssembly (whose build has no double precision): on WebGPU, ONNX Runtime 1.30 sorts on the CPU, and the five
 * dispatches for the greatest alone took longer than reading all logits (`npm run bench -- choice`). Compiled on first use.
 */
export class Shortlister implements Disposable {
  readonly #runtime: Runtime;
  readonly #vocabulary: number;
  readonly #sessions = new Map<string, Promise<Session>>();

  constructor(runtime: Runtime, vocabulary: number) {
    this.#runtime = runtime;
    this.#vocabulary = vocabulary;
  }

  /** From logits [1, 1, vocabulary], which stay the caller's; undefined on WebGPU and for several positions. Throws DeviceError for logits that are not finite. */
  async of(logits: DeviceTensor, { count, temperature }: ShortlistRequest): Promise<Shortlist | undefined> {
    const { backend } = this.#runtime;
    if (backend === 'webgpu' || logits.shape.join() !== `1,1,${this.#vocabulary}`) return undefined;
    const precision = backend === 'cpu' ? 'float64' : 'float32';
    const session = await this.#session({
      vocabulary: this.#vocabulary,
      count: Math.min(count, this.#vocabulary),
      tempered: temperature !== undefined,
      precision,
    });
    using given = temperature === undefined ? undefined : this.#number(temperature, precision);
    const results = await session.run({ logits, ...(given ? { temperature: given } : {}) });
    try {
      const read = async (name: string) => {
        const tensor = results[name];
        return tensor && (await this.#runtime.read(tensor)).data;
      };
      const [ids, values, total, temperedTotal] = [
        await read('ids'),
        await read('values'),
        await read('total'),
        await read('tempered_total'),
      ];
      if (!(ids instanceof BigInt64Array && values instanceof Float32Array && total))
        throw new MismatchError('The shortlist of logits came back in other number types than its graph declares.');
      const sum = Number(total[0]);
      checkFinite(sum);
      return {
        ids: Array.from(ids, Number),
        logits: values,
        total: sum,
        temperedTotal: temperedTotal && Number(temperedTotal[0]),
        relativeError: RELATIVE_ERROR[precision],
      };
    } finally {
      for (const tensor of Object.values(results)) tensor.dispose();
    }
  }

  #number(value: number, dataType: 'float32' | 'float64'): DeviceTensor {
    return this.#runtime.upload({
      dataType,
      shape: [1],
      data: dataType === 'float32' ? Float32Array.of(value) : Float64Array.of(value),
    });
  }

  #session(options: ShortlistGraphOptions): Promise<Session> {
    const key = `${options.count} ${options.tempered}`;
    const known = this.#sessions.get(key);
    if (known) return known;
    const made = this.#runtime.createSession(shortlistGraph(options), {
      label: `shortlist of ${options.count}`,
      oneThread: true,
    });
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

/** The same from logits that were read, in three passes. Throws DeviceError for logits that are not finite. */
export function shortlistOf(logits: Float32Array, { count, temperature }: ShortlistRequest): Shortlist {
  const ids = greatestIds(logits, Math.min(count, logits.length));
  const largest = logits[ids[0] as number] as number;
  let total = 0;
  let tempered = 0;
  for (let id = 0; id < logits.length; id++) total += Math.exp((logits[id] as number) - largest);
  if (temperature !== undefined)
    for (let id = 0; id < logits.length; id++) tempered += Math.exp(((logits[id] as number) - largest) / temperature);
  checkFinite(total);
  return {
    ids,
    logits: Float32Array.from(ids, (id) => logits[id] as number),
    total,
    temperedTotal: temperature === undefined ? undefined : tempered,
    relativeError: RELATIVE_ERROR.float64,
  };
}

/** Ids of the `count` greatest values, greatest first, equal ones by id: a heap of the best so far, whose root is the worst of them. */
function greatestIds(values: Float32Array, count: number): number[] {
  const heap = new Uint32Array(count);
  const isWorse = (a: number, b: number) =>
    (values[a] as number) < (values[b] as number) || (values[a] === values[b] && a > b);
  const sink = (place: number, size: number) => {
    for (let at = place; ; ) {
      let child = 2 * at + 1;
      if (child >= size) return;
      if (child + 1 < size && isWorse(heap[child + 1] as number, heap[child] as number)) child += 1;
      if (!isWorse(heap[child] as number, heap[at] as number)) return;
      [heap[at], heap[child]] = [heap[child] as number, heap[at] as number];
      at = child;
    }
  };
  for (let id = 0; id < count; id++) heap[id] = id;
  for (let place = count >> 1; place >= 0; place--) sink(place, count);
  let worst = values[heap[0] as number] as number;
  for (let id = count; id < values.length; id++) {
    if (!((values[id] as number) > worst)) continue;
    heap[0] = id;
    sink(0, count);
    worst = values[heap[0] as number] as number;
  }
  return [...heap].sort((a, b) => (isWorse(b, a) ? -1 : 1));
}

/** One NaN or infinite logit makes the sum one, too. Throws DeviceError for it. */
export function checkFinite(total: number | undefined): asserts total is number {
  if (total === undefined || !Number.isFinite(total))
    throw new DeviceError(
      'The decoder gave logits that are not finite numbers, so no token is chosen from them. Use f32 weights, or the wasm or cpu backend.',
    );
}
