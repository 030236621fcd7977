import { basename } from 'node:path';
import type { Command } from 'commander';
import { sha256OfText } from '../checkpoint/files/sha256.ts';
import { UsageError } from '../errors.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import { compare } from '../library/comparison/compare.ts';
import { comparisonMetrics } from '../library/comparison/comparison-metrics.ts';
import { pairedMethods, tasksMarkdown } from '../library/comparison/comparison-pairs.ts';
import { comparisonCsv, comparisonMarkdown } from '../library/comparison/comparison-table.ts';
import { isRepaired, METHOD_SUFFIXES, METHODS, parseMethod } from '../library/comparison/methods.ts';
import type { ComparisonCalibration, ComparisonRow, ComparisonTraining } from '../library/comparison/types.ts';
import type { OpenModel } from '../library/open-model.ts';
import { type ScoreObjective, score } from '../library/score.ts';
import { VERSION } from '../library/version.ts';
import type { LongRunning } from '../progress.ts';
import { readCalibration, readCompensationWindows, readMeasureWindows } from './calibration.ts';
import { type ComparisonSetting, ComparisonStore } from './comparison-store.ts';
import { createConsole } from './console.ts';
import { addTaskOptions, type TaskOptions } from './evaluate-tasks.ts';
import { interruptedKeeping } from './interrupted.ts';
import { missingStart } from './missing-start.ts';
import { computedOn, withModel } from './models.ts';
import {
  addCalibrationOptions,
  addCommonOptions,
  type CalibrationOptions,
  type CommonOptions,
  DEFAULT_COMPENSATION_WINDOWS,
  DEFAULT_WINDOWS,
  oneOf,
  ratio,
  wholeNumber,
} from './options.ts';
import { addTrainingOptions, TRAINING_FILES, type TrainingOptions, trainingFrom } from './recover-options.ts';
import { readTasks, type TaskFile, taskFolders } from './task-files.ts';
import { readTextIds } from './text-files.ts';
import { readTrainingFiles } from './training-files.ts';
import { checkWritable, writeWhole } from './write-file.ts';

interface CompareOptions extends CommonOptions, CalibrationOptions, TaskOptions, TrainingOptions {
  readonly methods: string;
  readonly ratios: string;
  readonly text?: readonly string[];
  readonly data?: readonly string[];
  readonly maxTokens?: number;
  readonly seeds: string;
  readonly compensationWindows?: number;
  readonly objective: 'text' | 'model';
  readonly loss: 'text' | 'kl' | 'both';
  readonly draws?: number;
  readonly format: 'markdown' | 'csv';
  readonly output?: string;
}

export function addCompare(program: Command, signal: AbortSignal): void {
  const command = program
    .command('compare <model>')
    .description('methods side by side at the same share of removed parameters');
  addTaskOptions(addCommonOptions(addCalibrationOptions(command)))
    .requiredOption(
      '--methods <list>',
      `comma-separated methods (${METHODS.map(({ name }) => name).join(', ')}); ${METHOD_SUFFIXES}`,
    )
    .requiredOption('--ratios <list>', 'comma-separated shares of the prunable weights to remove, e.g. 0.2,0.5')
    .option('--text <file...>', 'texts to measure perplexity on, each for itself')
    .option('--window <n>', 'tokens per window of evaluation and of training', wholeNumber('--window', 2), 128)
    .option('--max-tokens <n>', 'first tokens of each text to use', wholeNumber('--max-tokens', 2))
    .option('--seeds <list>', 'comma-separated seeds of calibration and training', '0')
    .option(
      '--compensation-windows <n>',
      `calibration windows that compensation learns from (default: ${DEFAULT_COMPENSATION_WINDOWS}, or as many as the text has)`,
      wholeNumber('--compensation-windows', 1),
    )
    .option(
      '--objective <what>',
      'what scores are the gradient of: text, its cross-entropy; model, the same with labels that the model draws',
      oneOf('--objective', ['text', 'model']),
      'text',
    )
    .option(
      '--draws <n>',
      'with --objective model: times that the labels of each window are drawn (default: 1)',
      wholeNumber('--draws', 1),
    )
    .option('--data <file...>', `for methods with recovery, what to learn: ${TRAINING_FILES}`);
  addTrainingOptions(command)
    .option(
      '--loss <what>',
      'what training makes small: text, cross-entropy with the data; kl, the divergence from the dense model; or both',
      oneOf('--loss', ['text', 'kl', 'both']),
      'text',
    )
    .option(
      '--format <format>',
      'table for people: markdown or csv',
      oneOf('--format', ['markdown', 'csv']),
      'markdown',
    )
    .option('--output <file>', 'JSON file of all cells, kept after every cell: an interrupted run goes on from it')
    .action(async (name: string, options: CompareOptions) => {
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      const ratios = options.ratios.split(',').map(ratio('--ratios'));
      const seeds = options.seeds.split(',').map(wholeNumber('--seeds', 0));
      if (options.draws !== undefined && options.objective !== 'model')
        throw new UsageError(`--draws is for --objective model; it is ${options.objective}.`);
      const trained = options.methods
        .split(',')
        .map(parseMethod)
        .find(({ recovery }) => recovery);
      if (trained && !options.data)
        throw new UsageError(`${trained.name} is trained after pruning; give what to learn by --data FILE.`);
      if (!options.text && !options.tasks)
        throw new UsageError(
          'Nothing is measured: give --text FILE for perplexity, --tasks for zero-shot accuracy, or both.',
        );
      const taskFiles =
        options.tasks === undefined
          ? []
          : await readTasks(options.tasks, taskFolders(name, options.tasksFolder), options.limit);
      await withModel(name, options, signal, async (open) => {
        const texts = await readEvaluationTexts(open, options, { signal, onProgress: output.onProgress });
        for (const { name: text, windows } of texts) {
          const missing = await missingStart(open, windows, 'compare these perplexities with none but such');
          if (missing) output.note(`${text}: ${missing}`);
        }
        const first = await readCalibration(name, open, { ...options, seed: seeds[0] ?? 0 }, { signal });
        const recovery = trained && (await readTraining(open, options));
        const store = await openStore(open, options, first.calibration, texts, taskFiles, recovery?.setting);
        const rows = await compare(open, {
          methods: options.methods.split(','),
          ratios,
          seeds,
          texts,
          tasks: taskFiles.map(({ task }) => task),
          ...(recovery && { training: recovery.training }),
          calibrate: (seed) => calibrate(name, open, { ...options, seed }, signal, output.onProgress),
          signal,
          onProgress: output.onProgress,
          ...(store ? { finished: store.rows } : {}),
          onRow: async (key, row) => {
            output.note(describeRow(row));
            await store?.add(key, row);
          },
        }).catch((error: unknown) => {
          if (!signal.aborted || !store || store.rows.size === 0) throw error;
          throw interruptedKeeping(`${store.path} keeps ${store.rows.size} finished cells`);
        });
        const markdown = [comparisonMarkdown(rows), tasksMarkdown(rows)].filter((table) => table !== '').join('\n');
        if (options.output) await writeWhole(options.output.replace(/(\.json)?$/, '.md'), markdown);
        const paired = taskFiles.length > 0 ? { paired: pairedMethods(rows) } : {};
        output.result({ rows, ...paired, ...computedOn(open.runtime) }, () => [
          (options.format === 'csv' ? comparisonCsv(rows) : markdown).trimEnd(),
        ]);
      });
    });
}

function describeRow({ method, ratio: share, seed, texts, tasks = {}, seconds }: ComparisonRow): string {
  const measured = [
    ...Object.entries(texts).map(([text, value]) => `${text} ${value.perplexity.toFixed(2)}`),
    ...Object.entries(tasks).map(([task, value]) => `${task} ${(100 * value.accuracyNormalized).toFixed(1)}%`),
  ];
  return `${method} ${share} seed ${seed}: ${measured.join(', ')} (${seconds.toFixed(0)} s)`;
}

interface EvaluationText {
  readonly name: string;
  readonly sha256: string;
  readonly windows: readonly Int32Array[];
}

async function readEvaluationTexts(
  open: OpenModel,
  options: CompareOptions,
  running: LongRunning,
): Promise<EvaluationText[]> {
  const tokenizer = await open.tokenizer();
  const texts: EvaluationText[] = [];
  for (const path of options.text ?? []) {
    const { maxTokens } = options;
    const { ids, source, sha256 } = await readTextIds([path], tokenizer, { ...running, maxTokens });
    texts.push({ name: source, sha256, windows: tokenWindows(ids, { length: options.window }) });
  }
  return texts;
}

async function calibrate(
  name: string,
  open: OpenModel,
  options: CompareOptions,
  signal: AbortSignal,
  onProgress: ReturnType<typeof createConsole>['onProgress'],
): Promise<ComparisonCalibration> {
  const { windows, calibration } = await readCalibration(name, open, options, { signal, onProgress });
  const methods = options.methods.split(',').map(parseMethod);
  const compensates = methods.some(isRepaired);
  const measures = methods.some((method) => method.planning === 'measured');
  const compensationWindows = compensates ? await readCompensationWindows(name, open, options, { signal }) : [];
  const objective = objectiveOf(options);
  const metrics = comparisonMetrics(methods);
  const { scores } = await score(open, {
    windows,
    calibration,
    objective,
    ...(metrics && { metrics }),
    signal,
    onProgress,
  });
  return {
    seed: options.seed,
    scores,
    objective,
    compensationWindows,
    windows,
    ...(measures && { measureWindows: await readMeasureWindows(name, open, options, { signal }) }),
  };
}

function objectiveOf({ objective, draws }: CompareOptions): ScoreObjective {
  return objective === 'model' ? { kind: 'model', draws: draws ?? 1 } : { kind: 'text' };
}

/** The training of methods with recovery, and what a file of cells says of it. */
async function readTraining(
  open: OpenModel,
  options: CompareOptions,
): Promise<{ readonly training: ComparisonTraining; readonly setting: NonNullable<ComparisonSetting['recovery']> }> {
  const { data, heldOut } = await readTrainingFiles(open, { ...options, data: options.data ?? [], seed: 0 });
  const { loss } = options;
  const settings = { ...trainingFrom(options), ...(loss !== 'text' && { loss }) };
  return {
    training: { ...settings, examples: data.windows, ...(heldOut && { heldOut }) },
    setting: {
      data: (options.data ?? []).map((path) => basename(path)),
      windows: data.windows.length,
      sha256: await sha256OfText(JSON.stringify([data.windows, heldOut ?? []])),
      settings,
    },
  };
}

async function openStore(
  open: OpenModel,
  options: CompareOptions,
  calibration: { readonly source: string; readonly sha256: string },
  texts: readonly EvaluationText[],
  taskFiles: readonly TaskFile[],
  recovery: ComparisonSetting['recovery'],
): Promise<ComparisonStore | undefined> {
  if (!options.output) return undefined;
  if (!options.output.endsWith('.json')) throw new UsageError(`--output is "${options.output}"; name a .json file.`);
  await checkWritable(options.output);
  const { checkpoint } = open.model;
  const { windows = DEFAULT_WINDOWS, length, compensationWindows = DEFAULT_COMPENSATION_WINDOWS } = options;
  return ComparisonStore.open(options.output, {
    model: { name: checkpoint.provenance.name, sha256: await checkpoint.sha256() },
    calibration: { source: calibration.source, sha256: calibration.sha256, windows, length, compensationWindows },
    ...(options.objective !== 'text' && { objective: objectiveOf(options) }),
    texts: texts.map(({ name, sha256, windows: cut }) => ({
      name,
      sha256,
      window: options.window,
      tokens: cut.length * (options.window - 1),
    })),
    ...(taskFiles.length > 0
      ? { tasks: taskFiles.map(({ task, sha256 }) => ({ name: task.name, sha256, items: task.items.length })) }
      : {}),
    ...(recovery && { recovery }),
    version: VERSION,
  });
}
