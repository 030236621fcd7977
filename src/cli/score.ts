import type { Command } from 'commander';
import { throwIfCancelled, UsageError } from '../errors.ts';
import { teach } from '../evaluate/divergence/teacher.ts';
import type { OpenModel } from '../library/open-model.ts';
import { parseMetrics, type ScoreObjective, score } from '../library/score.ts';
import { encodeScores, METRICS } from '../library/score-file.ts';
import { type ScoreShardOptions, scoreShard } from '../library/score-shard.ts';
import type { LongRunning } from '../progress.ts';
import { readCalibration } from './calibration.ts';
import { type Console, createConsole } from './console.ts';
import { halfPrecisionCheck } from './half-precision-check.ts';
import { interruptedKeeping } from './interrupted.ts';
import { megabytes } from './megabytes.ts';
import { missingStart } from './missing-start.ts';
import { computedOn, openDense, withModel } from './models.ts';
import {
  addCalibrationOptions,
  addCommonOptions,
  addObjectiveOptions,
  type CalibrationOptions,
  type CommonOptions,
  completedBy,
  type ObjectiveOptions,
} from './options.ts';
import { stateFile } from './score-state.ts';
import { SumsFileWriter } from './sums-file-writer.ts';
import { checkWritable, writeWhole } from './write-file.ts';

interface ScoreOptions extends CommonOptions, CalibrationOptions, ObjectiveOptions {
  readonly against?: string;
  readonly metrics?: ReturnType<typeof parseMetrics>;
  readonly shard?: { readonly index: number; readonly count: number };
  readonly output: string;
}

export function addScore(program: Command, signal: AbortSignal): void {
  const command = program
    .command('score <model>')
    .description('importance of every group, from gradients on calibration text');
  addObjectiveOptions(
    addCommonOptions(addCalibrationOptions(command)),
    'KL from the model of --against, for one that was pruned already',
  )
    .option('--against <dense>', 'with --objective teacher: the model that MODEL was pruned from')
    .option(
      '--metrics <list>',
      `comma-separated metrics, or fast, those without weight gradients (default: all): ${METRICS.join(', ')}`,
      completedBy(['fast', ...METRICS], parseMetrics),
    )
    .option(
      '--shard <i/n>',
      'score part i of n of the windows, i from 0; "merge-scores" adds the files of all parts',
      parseShard,
    )
    .requiredOption('--output <file>', 'score file to write (safetensors)')
    .action(async (name: string, options: ScoreOptions) => {
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      const { metrics = METRICS } = options;
      await checkWritable(options.output);
      await withModel(name, options, signal, async (open) => {
        const telling = { signal, onProgress: output.onProgress };
        const calibration = await readCalibration(name, open, options, telling);
        const missing =
          options.tokenIds === undefined &&
          (await missingStart(open, calibration.windows, 'the groups matter there in another way than in its use'));
        if (missing) output.note(missing);
        const objective = await readObjective(open, calibration.windows, options, telling);
        const { precision } = options;
        const crossCheck = halfPrecisionCheck(open.runtime, precision);
        const scoring = { ...calibration, metrics, objective, precision, crossCheck, ...telling };
        if (options.shard)
          return scoreOneShard(name, open, { ...scoring, shard: options.shard }, options.output, output);
        const state = stateFile(options.output);
        const run = await score(open, { ...scoring, state }).catch((error: unknown) => {
          if (!state.saved()) throw error;
          const kept = `${state.name} keeps the layers that are scored`;
          if (signal.aborted) throw interruptedKeeping(kept);
          output.note(`${kept}; the same command goes on from there.`);
          throw error;
        });
        await writeWhole(options.output, encodeScores(run.scores), signal);
        await state.clear();
        const { resumedLayers } = run;
        for (const { message } of run.notes) output.note(message);
        if (resumedLayers > 0) output.note(`${resumedLayers} layers were scored before, in a run that did not end.`);
        const { loss, tokens } = run.scores.calibration;
        const document = {
          loss,
          tokens,
          seconds: run.seconds,
          forwardSeconds: run.forwardSeconds,
          peakBytes: run.peakBytes,
          resumedLayers,
          objective: options.objective,
          precision: run.precision,
          ...(objective.kind === 'model' && { draws: objective.draws }),
          metrics,
          output: options.output,
          ...computedOn(open.runtime),
        };
        output.result(document, () => [
          `Scored ${name} on ${calibration.windows.length} windows (${tokens} predictions) of ${calibration.calibration.source}: loss ${loss.toFixed(4)} nats.`,
          ...costLines(run),
          `Wrote ${options.output}.`,
        ]);
      });
    });
}

async function scoreOneShard(
  name: string,
  open: OpenModel,
  options: ScoreShardOptions,
  path: string,
  output: Console,
): Promise<void> {
  const writer = new SumsFileWriter(path);
  try {
    const run = await scoreShard(open, options, writer);
    throwIfCancelled(options.signal);
    await writer.publish();
    const { bytes } = writer;
    const { shard, metrics, windows, calibration } = run.info;
    const { loss, tokens, seconds, forwardSeconds, peakBytes } = run;
    output.result(
      {
        ...{
          ...{
            loss,
            tokens,
            seconds,
            forwardSeconds,
            peakBytes,
            precision: run.info.engine.precision ?? 'f32',
            objective: options.objective?.kind ?? 'text',
            metrics,
          },
          ...{ shard, windows, bytes, output: path },
        },
        ...computedOn(open.runtime),
      },
      () => [
        `Scored shard ${shard.index} of ${shard.count} of ${name}: ${windows} of ${calibration.windows} windows (${tokens} predictions), loss ${loss.toFixed(4)} nats.`,
        ...costLines(run),
        `Wrote ${path} (${megabytes(bytes)}).`,
      ],
    );
  } finally {
    await writer.discard();
  }
}

/** What importance is the gradient of. Throws UsageError for options that do not belong together. */
async function readObjective(
  open: OpenModel,
  windows: readonly ArrayLike<number>[],
  options: ScoreOptions,
  telling: LongRunning,
): Promise<ScoreObjective> {
  const { objective, draws, against } = options;
  if (draws !== undefined && objective !== 'model')
    throw new UsageError(`--draws is for --objective model; it is ${objective}.`);
  if ((against !== undefined) !== (objective === 'teacher'))
    throw new UsageError('--objective teacher and --against DENSE, the model that MODEL was pruned from, go together.');
  if (against === undefined) return objective === 'model' ? { kind: 'model', draws: draws ?? 1 } : { kind: 'text' };
  using dense = await openDense(against, open.config.vocabulary, open.runtime, options);
  return { kind: 'teacher', teacher: await teach(dense.programs, dense.store, windows, telling) };
}

function costLines({
  seconds,
  forwardSeconds,
  peakBytes,
}: {
  readonly seconds: number;
  readonly forwardSeconds: number;
  readonly peakBytes: number;
}): string[] {
  return [
    `${seconds.toFixed(1)} s, of which the forward pass took ${forwardSeconds.toFixed(1)} s; peak ${megabytes(peakBytes)} of tensors.`,
  ];
}

function parseShard(text: string): { readonly index: number; readonly count: number } {
  const [, index, count] = /^([0-9]+)\/([0-9]+)$/.exec(text) ?? [];
  if (index !== undefined && Number(count) > Number(index)) return { index: Number(index), count: Number(count) };
  throw new UsageError(`--shard is "${text}"; it must be i/n with i from 0 to n - 1, for example 0/4.`);
}
