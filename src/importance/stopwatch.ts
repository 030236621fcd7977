/** Seconds of each stage of scoring, in the order in which stages first came. On WebGPU work is only queued when a stage ends; there the sum is right and the parts are not. */
export class Stopwatch {
  readonly #seconds: Record<string, number> = {};

  async time<Value>(stage: string, work: () => Promise<Value>): Promise<Value> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.#seconds[stage] = (this.#seconds[stage] ?? 0) + (performance.now() - started) / 1000;
    }
  }

  seconds(): Readonly<Record<string, number>> {
    return { ...this.#seconds };
  }
}
