import { createNodeRuntime } from '../src/runtime/node.ts';
import type {} from './browser/products.ts';
import { withBenchPage } from './browser-page.ts';
import { type ChoiceLaps, choiceLaps } from './choice-laps.ts';
import { median, spread } from './measure.ts';

/** Vocabularies of `stories`, SmolLM2 and Qwen2.5. */
const VOCABULARIES = [4096, 49_152, 151_936] as const;

/**
 * What choosing a token from logits on the device costs: all of them read and sampled, and from
 * shortlists made in JavaScript and on the device.
 * Options: cpu, wasm or webgpu (default: all), rounds (default 15).
 */
export async function run([wanted, rounds = '15']: readonly string[]): Promise<void> {
  for (const backend of ['cpu', 'wasm', 'webgpu'] as const) {
    if (wanted !== undefined && wanted !== backend) continue;
    console.log(backend);
    for (const { choice, vocabulary, plain, host, shortened } of await measure(backend, Number(rounds))) {
      const device = shortened.length === 0 ? 'none by the device' : `by the device ${spread(shortened)}`;
      const saved = median(plain) - median(shortened.length === 0 ? host : shortened);
      console.log(
        `  ${String(vocabulary).padStart(6)} tokens, ${choice.padEnd(21)}: all logits ${spread(plain)}; shortlist in JavaScript ${spread(host)}, ${device}; saves ${saved.toFixed(1)} ms a token`,
      );
    }
  }
}

async function measure(backend: 'cpu' | 'wasm' | 'webgpu', rounds: number): Promise<readonly ChoiceLaps[]> {
  if (backend !== 'cpu')
    return withBenchPage({}, (page) =>
      page.evaluate(([...call]) => window.productsBench.choices(...call), [backend, VOCABULARIES, rounds] as const),
    );
  using runtime = await createNodeRuntime();
  const laps = [];
  for (const vocabulary of VOCABULARIES) laps.push(...(await choiceLaps(runtime, vocabulary, rounds)));
  return laps;
}
