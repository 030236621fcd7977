import type { Command } from 'commander';
import type { ExportDataType } from '../decoder/dtypes.ts';
import { UsageError } from '../errors.ts';
import type { RecoverOptions } from '../library/recover.ts';
import { addChoosePlanOptions, type ChoosePlanOptions } from './choose-plan.ts';
import {
  addCalibrationOptions,
  addCommonOptions,
  type CommonOptions,
  oneOf,
  realNumber,
  wholeNumber,
} from './options.ts';
import { addPlanOptions } from './plan-options.ts';

/** Options of the library that are options of the command as they are. */
const PASSED_ON = [
  ...(['rank', 'scale', 'dropout', 'learningRate', 'warmupSteps', 'weightDecay', 'steps', 'epochs'] as const),
  ...(['batchWindows', 'accumulation', 'maxGradientNorm', 'evaluateEvery', 'patience', 'groupSteps'] as const),
];

/** Options of a training, whatever is trained. */
export interface TrainingOptions extends Pick<RecoverOptions, (typeof PASSED_ON)[number]> {
  readonly heldOut?: readonly string[];
  readonly window: number;
  readonly trainWindows?: number;
  readonly bits: '4' | '8';
}

export interface RecoverCommandOptions
  extends CommonOptions,
    ChoosePlanOptions,
    TrainingOptions,
    Pick<RecoverOptions, 'method'> {
  readonly loss: 'kl' | 'text' | 'both';
  readonly compensate: 'none' | 'bias' | 'least-squares';
  readonly data: readonly string[];
  readonly text?: readonly string[];
  readonly maxTokens?: number;
  readonly checkpoint?: string;
  readonly output: string;
}

/** What may be learnt from. */
export const TRAINING_FILES =
  'text (.txt, .raw, .md), or records (.jsonl, .json) with "text", "instruction" and "output", or "messages"';

/** Options of commands that train, but for the files to learn from. */
export function addTrainingOptions(command: Command): Command {
  return command
    .option(
      '--held-out <file...>',
      'the same kinds of files, to measure on while training (default: a twentieth of the data)',
    )
    .option(
      '--train-windows <n>',
      'windows of plain text at most, drawn by seed (default: all)',
      wholeNumber('--train-windows', 2),
    )
    .option('--bits <n>', 'of group-wise weights: 4 or 8', oneOf('--bits', ['4', '8']), '4')
    .option('--group-steps', 'of group-wise weights: train the step of each group, too')
    .option('--rank <n>', 'rank of the adapters (default: 8)', wholeNumber('--rank', 1))
    .option('--scale <x>', 'strength of the adapters times their rank (default: 16)', realNumber('--scale', 0))
    .option(
      '--dropout <p>',
      'share of the inputs of adapters that is left out (default: 0.05)',
      realNumber('--dropout', 0, 0.99),
    )
    .option(
      '--learning-rate <r>',
      'peak of the learning rate (default: 0.03 group-wise, 0.003 lora)',
      realNumber('--learning-rate', 0),
    )
    .option(
      '--warmup-steps <n>',
      'steps up to the peak (default: a tenth, at most 100)',
      wholeNumber('--warmup-steps', 0),
    )
    .option('--weight-decay <x>', 'decoupled weight decay (default: 0)', realNumber('--weight-decay', 0))
    .option('--steps <n>', 'optimiser steps (default: as --epochs needs)', wholeNumber('--steps', 1))
    .option('--epochs <n>', 'passes over the data (default: 2)', realNumber('--epochs', 0))
    .option('--batch-windows <n>', 'windows of a step (default: 16)', wholeNumber('--batch-windows', 1))
    .option(
      '--accumulation <n>',
      'runs of a step, whose gradients are summed (default: about 1,024 tokens each)',
      wholeNumber('--accumulation', 1),
    )
    .option(
      '--max-gradient-norm <x>',
      'longest norm of the gradients of a step (default: 1)',
      realNumber('--max-gradient-norm', 0),
    )
    .option(
      '--evaluate-every <n>',
      'steps between measurements of the held-out text (default: a tenth)',
      wholeNumber('--evaluate-every', 1),
    )
    .option(
      '--patience <n>',
      'measurements without a better one after which it stops (default: never)',
      wholeNumber('--patience', 1),
    );
}

export function addRecoverOptions(command: Command): Command {
  const planned = addCommonOptions(addCalibrationOptions(addChoosePlanOptions(addPlanOptions(command, ['vocabulary']))))
    .requiredOption('--data <file...>', `what to learn: ${TRAINING_FILES}`)
    .option('--text <file...>', 'text whose perplexity is measured before and after')
    .option('--max-tokens <n>', 'use the first so many tokens of --text', wholeNumber('--max-tokens', 2))
    .option('--window <n>', 'tokens per window of training and of --text', wholeNumber('--window', 2), 128)
    .option(
      '--compensate <how>',
      'repair before training: none, bias or least-squares',
      oneOf('--compensate', ['none', 'bias', 'least-squares']),
      'none',
    )
    .option(
      '--method <m>',
      'group-wise (quantised, adapters merge exactly) or lora (plain, float32)',
      oneOf('--method', ['group-wise', 'lora']),
      'group-wise',
    )
    .option(
      '--loss <what>',
      'what training makes small: kl, the divergence from MODEL as it was before pruning; text, cross-entropy with the data; or both',
      oneOf('--loss', ['kl', 'text', 'both']),
      'kl',
    );
  return addTrainingOptions(planned)
    .option(
      '--checkpoint <file>',
      'state of the training, kept as it goes, from which an interrupted one goes on exactly (default: OUTPUT.partial, until OUTPUT is written)',
    )
    .requiredOption('--output <folder>', 'folder to write');
}

/** The library's options of a training, those that were given. Throws UsageError for both lengths of a training. */
export function trainingFrom(options: TrainingOptions): Omit<RecoverOptions, 'examples' | 'method' | 'seed'> {
  if (options.steps !== undefined && options.epochs !== undefined)
    throw new UsageError('Give either --steps or --epochs: both say how long to train.');
  const known = Object.fromEntries(
    PASSED_ON.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  ) as Partial<RecoverOptions>;
  return { ...known, bits: options.bits === '4' ? 4 : 8 };
}

/** The library's options, those that were given. Throws UsageError for both lengths of a training. */
export const settingsFrom = (options: RecoverCommandOptions): Omit<RecoverOptions, 'examples'> => ({
  ...trainingFrom(options),
  method: options.method,
  loss: options.loss,
  seed: options.seed,
});

/** The number format of the export: by default the one that holds the trained weights as they are. Throws UsageError where it would round them again. */
export function trainingDtype({ method, bits, dtype }: RecoverCommandOptions): ExportDataType {
  if (method === 'lora') return dtype ?? 'f32';
  const own = `q${bits}` as const;
  if (dtype?.startsWith('q') && dtype !== own)
    throw new UsageError(
      `--dtype ${dtype} would round weights of ${bits} bits again; choose ${own}, f32 or f16, or --bits ${dtype.slice(1)}.`,
    );
  return dtype ?? own;
}
