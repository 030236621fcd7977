import { createNodeRuntime } from '../src/runtime/node.ts';
import type {} from './browser/products.ts';
import { withBenchPage } from './browser-page.ts';
import { type MatrixKind, MLP_COPIES } from './mlp-graph.ts';
import { fastestProducts, type ProductCase } from './product-laps.ts';

const HIDDEN = 576;
/** Multiples of 32, 16, 8, 4, 2 and 1. */
const WIDTHS = [1120, 1136, 1144, 1148, 1150, 1151] as const;

type Backend = 'cpu' | 'wasm' | 'webgpu';
interface Run {
  readonly format: MatrixKind['format'];
  readonly tokens: readonly number[];
}

/** WebAssembly expands blocks to floats for every token (`formats`), and a software adapter takes seconds for 64 tokens. */
const RUNS: Readonly<Record<Backend, readonly Run[]>> = {
  cpu: (['f32', 'q8', 'q4'] as const).map((format) => ({ format, tokens: [1, 64] })),
  wasm: [{ format: 'f32', tokens: [1, 64] }],
  webgpu: (['f32', 'q4'] as const).map((format) => ({ format, tokens: [1] })),
};
const ROUNDS: Readonly<Record<Backend, number>> = { cpu: 25, wasm: 25, webgpu: 4 };

/**
 * What a pruned width costs: the up and down projections of an MLP, decoding one token and reading 64. Prints the time per neuron relative to the
 * multiple of 32, by the fastest of many runs. Options: cpu, wasm or webgpu (default: all).
 */
export async function run([wanted]: readonly string[]): Promise<void> {
  for (const backend of ['cpu', 'wasm', 'webgpu'] as const) {
    if (wanted !== undefined && wanted !== backend) continue;
    for (const { format, tokens: counts } of RUNS[backend]) {
      for (const tokens of counts) {
        const cases = WIDTHS.map((width): ProductCase => ({ kind: { format }, hidden: HIDDEN, width, tokens }));
        const { description, best } = await measure(backend, cases, ROUNDS[backend]);
        const perNeuron = best.map((milliseconds, index) => milliseconds / (WIDTHS[index] ?? 1));
        const relative = perNeuron.map(
          (value, index) => `${WIDTHS[index]}: ${(value / (perNeuron[0] ?? 1)).toFixed(2)}`,
        );
        console.log(
          `${description}, ${format}, ${tokens} ${tokens === 1 ? 'token' : 'tokens'}: ${((best[0] ?? 0) / MLP_COPIES).toFixed(3)} ms at 1120; time per neuron relative to it ${relative.join(', ')}`,
        );
      }
    }
  }
}

async function measure(backend: Backend, cases: readonly ProductCase[], rounds: number) {
  if (backend !== 'cpu')
    return withBenchPage({}, (page) =>
      page.evaluate(([...call]) => window.productsBench.run(...call), [backend, cases, rounds] as const),
    );
  using runtime = await createNodeRuntime();
  return { description: runtime.description, best: await fastestProducts(runtime, cases, rounds) };
}
