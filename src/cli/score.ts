import type { Command } from 'commander';
import { parseMetrics, score } from '../library/score.ts';
import { encodeScores } from '../saap/score-file.ts';
import { METRICS } from '../saap/scores.ts';
import { readCalibration } from './calibration.ts';
import { createConsole } from './console.ts';
import { withModel } from './models.ts';
import { addCalibrationOptions, addCommonOptions, type CalibrationOptions, type CommonOptions } from './options.ts';
import { checkWritable, writeWhole } from './write-file.ts';

interface ScoreOptions extends CommonOptions, CalibrationOptions {
  readonly metrics?: string;
  readonly output: string;
}

export function addScore(program: Command, signal: AbortSignal): void {
  const command = program.command('score <model>').description('importance of every group, from gradients on calibration text');
  addCommonOptions(addCalibrationOptions(command))
    .option('--metrics <list>', `comma-separated metrics (default: all): ${METRICS.join(', ')}`)
    .requiredOption('--output <file>', 'score file to write (safetensors)')
    .action(async (name: string, options: ScoreOptions) => {
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      const metrics = options.metrics === undefined ? METRICS : parseMetrics(options.metrics);
      await checkWritable(options.output);
      await withModel(name, options, async (open) => {
        const calibration = await readCalibration(name, open, options);
        const run = await score(open, { ...calibration, metrics, signal, onProgress: output.onProgress });
        await writeWhole(options.output, encodeScores(run.scores), signal);
        const { loss, tokens } = run.scores.calibration;
        const document = { loss, tokens, seconds: run.seconds, forwardSeconds: run.forwardSeconds, peakBytes: run.peakBytes, metrics, output: options.output };
        output.result(document, () => [
          `Scored ${name} on ${calibration.windows.length} windows (${tokens} predictions) of ${calibration.calibration.source}: loss ${loss.toFixed(4)} nats.`,
          `${run.seconds.toFixed(1)} s, of which the forward pass took ${run.forwardSeconds.toFixed(1)} s; peak ${(run.peakBytes / 2 ** 20).toFixed(0)} MiB of tensors.`,
          `Wrote ${options.output}.`,
        ]);
      });
    });
}
