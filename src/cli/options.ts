import type { Command } from 'commander';
import { UsageError } from '../errors.ts';
import type { BackendChoice } from '../library/create-runtime.ts';
import type { PrecisionChoice } from '../library/score-precision.ts';

const BACKENDS: readonly BackendChoice[] = ['cpu', 'wasm', 'webgpu', 'auto'];

/** Options that every command takes (docs/architecture.md section 7.1). */
export interface CommonOptions {
  /** Absent: cpu, or wasm where its package is not installed. */
  readonly backend?: BackendChoice;
  readonly adapter?: string;
  readonly threads?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly ignoreTensors?: boolean;
}

/** Windows to score on, and windows that compensation learns from (docs/method.md section 5), where the text has so many. */
export const DEFAULT_WINDOWS = 64;
export const DEFAULT_COMPENSATION_WINDOWS = 192;
/** Windows that GPTQ learns from. */
export const DEFAULT_ROUNDING_WINDOWS = 32;
/** Windows that the search "measured" compares plans on: a few thousand tokens. */
export const DEFAULT_MEASURE_WINDOWS = 32;

/** Options of commands that read calibration text. */
export interface CalibrationOptions {
  readonly calibration?: readonly string[];
  /** Absent: as many as the text has, up to a default. */
  readonly windows?: number;
  readonly length: number;
  readonly seed: number;
  readonly tokenIds?: string;
}

export function addCommonOptions(command: Command): Command {
  return command
    .option(
      '--backend <name>',
      'where to compute: cpu, wasm, webgpu, or auto, which takes a graphics card where there is one (default: cpu, or wasm where onnxruntime-node is not installed)',
      oneOf('--backend', BACKENDS),
    )
    .option('--adapter <part of its name>', 'the graphics adapter to use; "--adapter list" tells which there are')
    .option('--threads <n>', 'threads of the CPU backend (default: all cores)', wholeNumber('--threads', 1))
    .option('--json', 'print one JSON document on standard output')
    .option('--quiet', 'no progress and notes on standard error')
    .option('--config <file>', 'options from a JSON file: a recipe, or what has one (a plan, an espalier.json)')
    .option('--ignore-tensors', 'leave out tensors of MODEL that its architecture does not read');
}

export function addCalibrationOptions(command: Command): Command {
  return command
    .option('--calibration <file...>', 'calibration text: .txt, .raw, .md, or JSON lines with a "text" field')
    .option(
      '--windows <n>',
      `calibration windows (default: ${DEFAULT_WINDOWS}, or as many as the text has)`,
      wholeNumber('--windows', 1),
    )
    .option('--length <n>', 'tokens per calibration window', wholeNumber('--length', 2), 128)
    .option('--seed <n>', 'seed of everything random', wholeNumber('--seed', 0), 0)
    .option(
      '--token-ids <file>',
      'windows as JSON, an array of arrays of token ids, instead of text; with --calibration as well, half of the windows are drawn from them',
    );
}

/** Options of commands that score. */
export interface ObjectiveOptions {
  readonly objective: 'text' | 'model' | 'teacher';
  readonly draws?: number;
  readonly precision: PrecisionChoice;
}

export function addObjectiveOptions(command: Command, teacher: string): Command {
  return command
    .option(
      '--objective <what>',
      `what importance is the gradient of: text, its cross-entropy; model, the same with labels that the model draws; teacher, ${teacher}`,
      oneOf('--objective', ['text', 'model', 'teacher']),
      'text',
    )
    .option(
      '--draws <n>',
      'with --objective model: times that the labels of each window are drawn (default: 1)',
      wholeNumber('--draws', 1),
    )
    .option(
      '--precision <which>',
      'what scoring computes in: f32, f16 (webgpu, half the memory), or auto, f16 on graphics cards that have it unless it does not suffice',
      oneOf('--precision', ['f32', 'f16', 'auto']),
      'f32',
    );
}

/** A parser of whole numbers of at least `minimum`; throws UsageError naming the option and the value. */
export function wholeNumber(option: string, minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= minimum) return value;
    throw new UsageError(`${option} is "${text}"; it must be a whole number of at least ${minimum}.`);
  };
}

/** A parser of real numbers in [minimum, maximum]. */
export function realNumber(
  option: string,
  minimum: number,
  maximum = Number.POSITIVE_INFINITY,
): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && value >= minimum && value <= maximum) return value;
    throw new UsageError(
      `${option} is "${text}"; it must be a number ${maximum === Number.POSITIVE_INFINITY ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`}.`,
    );
  };
}

const BYTES: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** A parser of sizes: a whole number of bytes of at least 1, or a number with a unit such as 60MB or 1.5 GiB. */
export function byteCount(option: string): (text: string) => number {
  return (text) => {
    const [, digits = '', unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(text) ?? [];
    const value = Number(digits) * (Object.hasOwn(BYTES, unit) ? (BYTES[unit] ?? Number.NaN) : Number.NaN);
    const isWhole = unit !== '' || Number.isInteger(value);
    if (digits !== '' && isWhole && Number.isSafeInteger(Math.floor(value)) && value >= 1) return Math.floor(value);
    throw new UsageError(
      `${option} is "${text}"; it must be a whole number of bytes, or a size such as 60MB, 1.5GB or 512MiB.`,
    );
  };
}

/** A ratio of what is removed: above 0 and below 1. */
export function ratio(option: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value > 0 && value < 1) return value;
    throw new UsageError(
      `${option} is "${text}"; a pruning ratio lies between 0 and 1, for example 0.2 to remove 20% of the prunable weights.`,
    );
  };
}

/** A parser that says which words it takes. */
interface WordParser<Value> {
  (text: string): Value;
  readonly words: readonly string[];
}

/** A parser that accepts one of a list of words. */
export function oneOf<Word extends string>(option: string, words: readonly Word[]): WordParser<Word> {
  const parse = (text: string) => {
    const word = words.find((candidate) => candidate === text);
    if (word !== undefined) return word;
    throw new UsageError(`${option} is "${text}"; choose ${words.join(', ')}.`);
  };
  return Object.assign(parse, { words });
}

/** A parser of its own that shells complete with `words`. */
export function completedBy<Value>(words: readonly string[], parse: (text: string) => Value): WordParser<Value> {
  return Object.assign((text: string) => parse(text), { words });
}

/** The words that a parser takes, as far as it says so; undefined for others. */
export function wordsOf(parser: unknown): readonly string[] | undefined {
  return typeof parser === 'function' && 'words' in parser ? (parser as WordParser<unknown>).words : undefined;
}

/** A parser that accepts some of a list of words, separated by commas, each once. */
export function listOf<Word extends string>(option: string, words: readonly Word[]): WordParser<readonly Word[]> {
  const one = oneOf(option, words);
  const parse = (text: string) => [
    ...new Set(
      text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '')
        .map((part) => one(part)),
    ),
  ];
  return Object.assign(parse, { words });
}
