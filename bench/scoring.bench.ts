import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openNamed } from '../src/checkpoint/local.ts';
import { readTextIds } from '../src/cli/text-files.ts';
import { perplexity } from '../src/evaluate/perplexity.ts';
import { tokenWindows } from '../src/evaluate/token-windows.ts';
import { type ImportanceOptions, type ImportanceResult, importance } from '../src/importance/importance.ts';
import { FAST_METRICS } from '../src/importance/sums/metrics.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import { interleave, ratio, spread } from './measure.ts';
import { type PyTorchRun, pyTorchScorer } from './scoring-pytorch.ts';

const MIB = 2 ** 20;
const PYTORCH = 'PyTorch';

/**
 * Scoring of all gradient metrics against one forward pass with losses over the same windows, on the CPU backend: with activations kept where they fit, and with all of them recomputed.
 * Interleaved; and with PyTorch computing the same metrics on as many threads where the variable PYTHON names a Python that has torch, transformers and safetensors.
 * Options: a model (default stories), a text file (default the model's calibration text), number of windows (16), rounds (3).
 */
export async function run([
  name = 'stories',
  text = 'public/models/stories/calibration.txt',
  count = '16',
  rounds = '3',
]: readonly string[]): Promise<void> {
  if (!existsSync(text)) throw new Error(`there is no text ${text}`);
  const threads = availableParallelism();
  using runtime = await createNodeRuntime({ threads });
  using open = new OpenModel(runtime, await openNamed(name), { residentBytes: 2 ** 30 });
  const { ids } = await readTextIds([text], await open.tokenizer());
  const windows = tokenWindows(ids, { length: 128, count: Number(count), seed: 0 });
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  const results: Record<string, ImportanceResult[]> = {};
  const peaks: Record<string, number> = {};
  const python: PyTorchRun[] = [];
  const scoring = (label: string, options: Partial<ImportanceOptions>) => async () => {
    runtime.resetPeak();
    const result = await importance(open.programs, open.store, windows, {
      structuresOf: open.structuresOf,
      ...options,
    });
    results[label] = [...(results[label] ?? []), result];
    peaks[label] = Math.max(peaks[label] ?? 0, runtime.statistics().peakBytes + result.kernelBytes);
  };
  try {
    const pyTorch =
      process.env.PYTHON === undefined
        ? undefined
        : await pyTorchScorer(process.env.PYTHON, open.model.checkpoint, windows, threads, folder);
    const times: Record<string, number[]> = await interleave<string>(
      {
        forward: () => perplexity(open.programs, open.store, windows),
        kept: scoring('kept', { activationBytes: 2 ** 30 }),
        recomputed: scoring('recomputed', { activationBytes: 0 }),
        'without elements': scoring('without elements', { metrics: ['vector', 'fisher'], activationBytes: 0 }),
        fast: scoring('fast', { metrics: FAST_METRICS }),
        ...(pyTorch && { [PYTORCH]: async () => void python.push(await pyTorch()) }),
      },
      Number(rounds),
    );
    console.log(`${name}, ${windows.length} windows of 128 tokens, ${runtime.description}`);
    const forward = times.forward ?? [];
    for (const [label, values] of Object.entries(times)) {
      if (label === PYTORCH) continue;
      const target =
        { kept: ' (target at most 3.2)', recomputed: ' (target at most 4.2)', fast: ' (target at most 2.6)' }[label] ??
        '';
      const against =
        label === 'forward'
          ? ''
          : `; against forward ${ratio(values, forward)}${target}; peak of memory ${((peaks[label] ?? 0) / MIB).toFixed(0)} MiB`;
      console.log(`${label}: ${spread(values)}${against}`);
      const stages = results[label]?.at(-1)?.stages ?? {};
      if (Object.keys(stages).length > 0)
        console.log(
          `  ${Object.entries(stages)
            .map(([stage, seconds]) => `${stage} ${(1000 * seconds).toFixed(0)} ms`)
            .join(', ')}`,
        );
    }
    // The first round is the warm-up that `interleave` leaves out.
    const measured = python.slice(1);
    if (measured.length === 0)
      return console.log('PyTorch: not measured; set PYTHON to a Python with torch, transformers and safetensors.');
    const seconds = measured.map((one) => 1000 * one.seconds);
    console.log(
      `PyTorch, ${threads} threads: forward ${spread(measured.map((one) => 1000 * one.forwardSeconds))}, scoring ${spread(seconds)}`,
    );
    for (const label of ['kept', 'recomputed'])
      console.log(`PyTorch / ${label}: ${ratio(seconds, times[label] ?? [])} (target at least 1, aim 2)`);
    console.log(
      `PyTorch / fast: ${ratio(seconds, times.fast ?? [])} with all metrics there (target at least 1.6), ${ratio(
        measured.map((one) => 1000 * one.fastSeconds),
        times.fast ?? [],
      )} with the same ones (target at least 1.2)`,
    );
    const [loss, ownLoss] = [measured[0]?.loss ?? Number.NaN, results.kept?.[0]?.loss ?? Number.NaN];
    console.log(`loss: ${ownLoss.toFixed(5)} here, ${loss.toFixed(5)} in PyTorch`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
