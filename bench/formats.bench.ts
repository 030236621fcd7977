import { createNodeRuntime } from '../src/runtime/node.ts';
import type {} from './browser/products.ts';
import { withBenchPage } from './browser-page.ts';
import type { MatrixKind } from './mlp-graph.ts';
import { fastestProducts, type ProductCase } from './product-laps.ts';

/** `stories`, and SmolLM2-135M. */
const SIZES = { stories: [288, 768], smollm2: [576, 1536] } as const;

const KINDS: Readonly<Record<string, MatrixKind>> = {
  f32: { format: 'f32' },
  'f32, transposed': { format: 'f32', operator: 'gemm' },
  f16: { format: 'f16' },
  q8: { format: 'q8' },
  'q8, float activations': { format: 'q8', accuracyLevel: 1 },
  'q8, blocks of 64': { format: 'q8', block: 64 },
  q4: { format: 'q4' },
  'q4, float activations': { format: 'q4', accuracyLevel: 1 },
  'q4, blocks of 64': { format: 'q4', block: 64 },
  'q4, blocks of 128': { format: 'q4', block: 128 },
  'q4, no zero points': { format: 'q4', zeroPoints: 'none' },
  'q4, kept codes': { format: 'q4', zeroPoints: 'remainders' },
};

/**
 * What a number format's matrix products cost on a backend: projections of an MLP for one token and for 64, the fastest of many runs,
 * relative to f32. Options: cpu, wasm or webgpu (default: all), rounds (default 15; webgpu 5), the sizes of stories or smollm2 (default stories).
 */
export async function run([wanted, rounds, sizes = 'stories']: readonly string[]): Promise<void> {
  const [hidden, width] = sizes === 'smollm2' ? SIZES.smollm2 : SIZES.stories;
  for (const backend of ['cpu', 'wasm', 'webgpu'] as const) {
    if (wanted !== undefined && wanted !== backend) continue;
    // A software adapter compiles and computes for minutes what the others do in seconds.
    const names = Object.keys(KINDS).filter(
      (name) => backend !== 'webgpu' || ['f32', 'f16', 'q8', 'q4'].includes(name),
    );
    const counts = backend === 'webgpu' ? [1] : [1, 64];
    const cases = counts.flatMap((tokens) =>
      names.map((name): ProductCase => ({ kind: KINDS[name] as MatrixKind, hidden, width, tokens })),
    );
    const times = Number(rounds ?? (backend === 'webgpu' ? 5 : 15));
    const { description, best } = await measure(backend, cases, times);
    console.log(`${description}: 8 MLPs of ${hidden} x ${width}`);
    for (const [index, tokens] of counts.entries()) {
      const part = best.slice(index * names.length, (index + 1) * names.length);
      for (const [place, name] of names.entries()) {
        const milliseconds = part[place] ?? Number.NaN;
        console.log(
          `  ${name.padEnd(22)} ${String(tokens).padStart(2)} ${tokens === 1 ? 'token ' : 'tokens'} ${milliseconds.toFixed(2).padStart(8)} ms, ${(milliseconds / (part[0] ?? 1)).toFixed(2)} of f32`,
        );
      }
    }
  }
}

async function measure(backend: 'cpu' | 'wasm' | 'webgpu', cases: readonly ProductCase[], rounds: number) {
  if (backend !== 'cpu')
    return withBenchPage({}, (page) =>
      page.evaluate(([...call]) => window.productsBench.run(...call), [backend, cases, rounds] as const),
    );
  using runtime = await createNodeRuntime();
  return { description: runtime.description, best: await fastestProducts(runtime, cases, rounds) };
}
