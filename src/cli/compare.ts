import type { Command } from 'commander';
import { sha256OfText } from '../checkpoint/sha256.ts';
import { UsageError } from '../errors.ts';
import { tokenWindows } from '../evaluate/windows.ts';
import { type ComparisonCalibration, compare } from '../library/compare.ts';
import { pairedMethods, tasksMarkdown } from '../library/comparison-pairs.ts';
import { comparisonCsv, comparisonMarkdown } from '../library/comparison-table.ts';
import type { OpenModel } from '../library/open-model.ts';
import { score } from '../library/score.ts';
import { VERSION } from '../library/version.ts';
import { METHODS, MODEL_METHODS, parseMethod } from '../saap/methods.ts';
import { readCalibration, readCompensationWindows, readMeasureWindows, readText } from './calibration.ts';
import { ComparisonStore } from './comparison-store.ts';
import { createConsole } from './console.ts';
import { addTaskOptions, type TaskOptions } from './evaluate-tasks.ts';
import { withModel } from './models.ts';
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
import { readTasks, type TaskFile, taskFolders } from './task-files.ts';
import { checkWritable, writeWhole } from './write-file.ts';

interface CompareOptions extends CommonOptions, CalibrationOptions, TaskOptions {
  readonly methods: string;
  readonly ratios: string;
  readonly text: readonly string[];
  readonly window: number;
  readonly maxTokens?: number;
  readonly seeds: string;
  readonly compensationWindows?: number;
  readonly format: 'markdown' | 'csv';
  readonly output?: string;
}

export function addCompare(program: Command, signal: AbortSignal): void {
  const command = program.command('compare <model>').description('methods side by side at the same share of removed parameters');
  addTaskOptions(addCommonOptions(addCalibrationOptions(command)))
    .requiredOption(
      '--methods <list>',
      `comma-separated methods (${[...METHODS, ...MODEL_METHODS].map(({ name }) => name).join(', ')}); "+bias" or "+least-squares" after a name adds compensation`,
    )
    .requiredOption('--ratios <list>', 'comma-separated shares of the prunable weights to remove, e.g. 0.2,0.5')
    .requiredOption('--text <file...>', 'texts to measure perplexity on, each for itself')
    .option('--window <n>', 'tokens per evaluation window', wholeNumber('--window', 2), 128)
    .option('--max-tokens <n>', 'first tokens of each text to use', wholeNumber('--max-tokens', 2))
    .option('--seeds <list>', 'comma-separated calibration seeds', '0')
    .option(
      '--compensation-windows <n>',
      `calibration windows that compensation learns from (default: ${DEFAULT_COMPENSATION_WINDOWS}, or as many as the text has)`,
      wholeNumber('--compensation-windows', 1),
    )
    .option('--format <format>', 'table for people: markdown or csv', oneOf('--format', ['markdown', 'csv']), 'markdown')
    .option('--output <file>', 'JSON file of all cells, kept after every cell: an interrupted run goes on from it')
    .action(async (name: string, options: CompareOptions) => {
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      const ratios = options.ratios.split(',').map(ratio('--ratios'));
      const seeds = options.seeds.split(',').map(wholeNumber('--seeds', 0));
      const taskFiles = options.tasks === undefined ? [] : await readTasks(options.tasks, taskFolders(name, options.tasksFolder), options.limit);
      await withModel(name, options, signal, async (open) => {
        const texts = await readEvaluationTexts(open, options);
        const first = await readCalibration(name, open, { ...options, seed: seeds[0] ?? 0 });
        const store = await openStore(open, options, first.calibration, texts, taskFiles);
        const rows = await compare(open, {
          methods: options.methods.split(','),
          ratios,
          seeds,
          texts,
          tasks: taskFiles.map(({ task }) => task),
          calibrate: (seed) => calibrate(name, open, { ...options, seed }, signal, output.onProgress),
          signal,
          onProgress: output.onProgress,
          ...(store ? { finished: store.rows } : {}),
          onRow: async (key, row) => {
            output.note(
              `${row.method} ${row.ratio} seed ${row.seed}: ${Object.entries(row.texts)
                .map(([text, value]) => `${text} ${value.perplexity.toFixed(2)}`)
                .join(', ')} (${row.seconds.toFixed(0)} s)`,
            );
            await store?.add(key, row);
          },
        });
        const markdown = [comparisonMarkdown(rows), tasksMarkdown(rows)].filter((table) => table !== '').join('\n');
        if (options.output) await writeWhole(options.output.replace(/(\.json)?$/, '.md'), markdown);
        const paired = taskFiles.length > 0 ? { paired: pairedMethods(rows) } : {};
        output.result({ rows, ...paired }, () => [(options.format === 'csv' ? comparisonCsv(rows) : markdown).trimEnd()]);
      });
    });
}

interface EvaluationText {
  readonly name: string;
  readonly sha256: string;
  readonly windows: readonly Int32Array[];
}

async function readEvaluationTexts(open: OpenModel, options: CompareOptions): Promise<EvaluationText[]> {
  const tokenizer = await open.tokenizer();
  const texts: EvaluationText[] = [];
  for (const path of options.text) {
    const { text, source } = await readText([path]);
    const ids = tokenizer.encode(text, { addSpecialTokens: false });
    const used = options.maxTokens === undefined ? ids : ids.slice(0, options.maxTokens);
    texts.push({ name: source, sha256: await sha256OfText(text), windows: tokenWindows(used, { length: options.window }) });
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
  const { windows, calibration } = await readCalibration(name, open, options);
  const methods = options.methods.split(',').map(parseMethod);
  const compensates = methods.some((method) => method.recipe.compensate !== 'none');
  const measures = methods.some((method) => method.planning === 'measured');
  const compensationWindows = compensates ? await readCompensationWindows(name, open, options) : [];
  const { scores } = await score(open, { windows, calibration, signal, onProgress });
  return { seed: options.seed, scores, compensationWindows, windows, ...(measures && { measureWindows: await readMeasureWindows(name, open, options) }) };
}

async function openStore(
  open: OpenModel,
  options: CompareOptions,
  calibration: { readonly source: string; readonly sha256: string },
  texts: readonly EvaluationText[],
  taskFiles: readonly TaskFile[],
): Promise<ComparisonStore | undefined> {
  if (!options.output) return undefined;
  if (!options.output.endsWith('.json')) throw new UsageError(`--output is "${options.output}"; name a .json file.`);
  await checkWritable(options.output);
  const { checkpoint } = open.model;
  const { windows = DEFAULT_WINDOWS, length, compensationWindows = DEFAULT_COMPENSATION_WINDOWS } = options;
  return ComparisonStore.open(options.output, {
    model: { name: checkpoint.provenance.name, sha256: await checkpoint.sha256() },
    calibration: { source: calibration.source, sha256: calibration.sha256, windows, length, compensationWindows },
    texts: texts.map(({ name, sha256, windows: cut }) => ({ name, sha256, window: options.window, tokens: cut.length * (options.window - 1) })),
    ...(taskFiles.length > 0 ? { tasks: taskFiles.map(({ task, sha256 }) => ({ name: task.name, sha256, items: task.items.length })) } : {}),
    version: VERSION,
  });
}
