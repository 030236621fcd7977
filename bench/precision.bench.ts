import { existsSync } from 'node:fs';
import { Programs } from '../src/architecture/programs.ts';
import { WeightStore } from '../src/architecture/weight-store.ts';
import { openNamed } from '../src/checkpoint/local.ts';
import { readTextIds } from '../src/cli/text-files.ts';
import { tokenWindows } from '../src/evaluate/token-windows.ts';
import { importance } from '../src/importance/importance.ts';
import { METRICS } from '../src/importance/sums/scores.ts';
import { spearmanRho } from '../src/importance/testing/rank-correlation.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { createNodeWebGpuRuntime } from '../src/runtime/node-webgpu.ts';

/** What half precision has to reach to be the default. */
const LEAST = 0.999;

/**
 * Scoring in half precision against single precision on the same WebGPU device: rank correlation (Spearman) of every metric over all attention groups and over all neurons, the largest of the losses' differences,
 * memory of tensors, and seconds (first runs, with the compiling of kernels; a ratio of them says something on a real card alone).
 * Options: a model (default stories), a text file (default the model's calibration text), number of windows (64), their length (128).
 */
export async function run([
  name = 'stories',
  text = 'public/models/stories/calibration.txt',
  count = '64',
  length = '128',
]: readonly string[]): Promise<void> {
  if (!existsSync(text)) throw new Error(`there is no text ${text}`);
  using runtime = await createNodeWebGpuRuntime();
  using open = new OpenModel(runtime, await openNamed(name), { residentBytes: 0 });
  const { ids } = await readTextIds([text], await open.tokenizer());
  const windows = tokenWindows(ids, { length: Number(length), count: Number(count), seed: 0 });
  console.log(`${name}, ${count} windows of ${length} tokens, ${runtime.description}`);
  const scored = async (precision: 'f32' | 'f16') => {
    using programs = new Programs(runtime, open.model.architecture, precision);
    const store = new WeightStore(runtime, open.model, 0, precision);
    runtime.resetPeak();
    const result = await importance(programs, store, windows, { structuresOf: open.structuresOf });
    const { peakBytes } = runtime.statistics();
    console.log(
      `${precision}: loss ${result.loss.toFixed(6)}, ${(peakBytes / 1e6).toFixed(1)} MB of tensors, ${result.seconds.toFixed(1)} s (forward ${result.forwardSeconds.toFixed(1)} s)`,
    );
    return result;
  };
  const [single, half] = [await scored('f32'), await scored('f16')];
  let least = 1;
  console.log(`${'metric'.padEnd(18)} attention  neurons`);
  for (const metric of METRICS) {
    const correlations = (['attention', 'mlp'] as const).map((module) => {
      const all = ({ layers }: typeof single) => layers.flatMap((layer) => [...(layer[module][metric] ?? [])]);
      return spearmanRho(all(single), all(half));
    });
    least = Math.min(least, ...correlations);
    console.log(`${metric.padEnd(18)} ${correlations.map((value) => value.toFixed(6).padEnd(9)).join('  ')}`);
  }
  console.log(`least ${least.toFixed(6)}: ${least >= LEAST ? 'reaches' : 'does not reach'} ${LEAST}`);
}
