import { createWebRuntime } from '../../src/runtime/web.ts';
import { type ChoiceLaps, choiceLaps } from '../choice-laps.ts';
import { fastestProducts, type ProductCase } from '../product-laps.ts';

export interface ProductsBench {
  run(
    backend: 'webgpu' | 'wasm',
    cases: readonly ProductCase[],
    rounds: number,
  ): Promise<{ readonly description: string; readonly best: readonly number[] }>;
  choices(backend: 'webgpu' | 'wasm', vocabularies: readonly number[], rounds: number): Promise<readonly ChoiceLaps[]>;
}

declare global {
  interface Window {
    readonly productsBench: ProductsBench;
  }
}

const bench: ProductsBench = {
  async run(backend, cases, rounds) {
    using runtime = await createWebRuntime({ backend });
    return { description: runtime.description, best: await fastestProducts(runtime, cases, rounds) };
  },
  async choices(backend, vocabularies, rounds) {
    using runtime = await createWebRuntime({ backend });
    const laps = [];
    for (const vocabulary of vocabularies) laps.push(...(await choiceLaps(runtime, vocabulary, rounds)));
    return laps;
  },
};

Object.assign(window, { productsBench: bench });
