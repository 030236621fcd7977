import { type Command, Option } from 'commander';
import { UsageError } from '../errors.ts';
import { DEFAULT_ROUND_TO, RECIPE_ENTRIES } from '../library/plan.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import type { RecipeChoices, RecipeField, RecipeKey, Target } from '../plan/recipe.ts';
import { byteCount, oneOf, ratio, realNumber, wholeNumber } from './options.ts';

type TargetKind = Target['kind'];

/** Options that shape a plan, shared by plan and prune: a target, and fields of a recipe. */
export interface PlanCommandOptions
  extends Partial<Omit<RecipeChoices, 'target' | 'compensate'>>,
    Partial<Readonly<Record<TargetKind, number>>> {
  readonly context?: number;
}

/** An option whose value is given to the field of that name. */
class FieldOption extends Option {
  readonly #field: RecipeKey;

  constructor(field: RecipeKey, flags: string, help: string) {
    super(flags, help);
    this.#field = field;
  }

  override attributeName(): string {
    return this.#field;
  }
}

/** `without`: fields that the command does not take. */
export function addPlanOptions(command: Command, without: readonly RecipeKey[] = []): Command {
  command
    .option('--ratio <r>', 'share of the prunable weights to remove, e.g. 0.2', ratio('--ratio'))
    .option('--parameters <n>', 'parameters that the pruned model may have', wholeNumber('--parameters', 1))
    .option('--bytes <n>', 'bytes that the export may have, graph and weights, such as 60MB', byteCount('--bytes'))
    .option(
      '--memory <n>',
      'bytes that the export and its key/value cache may have at --context tokens, such as 60MB',
      byteCount('--memory'),
    )
    .option(
      '--context <n>',
      `tokens in the cache for --memory (default: ${DEFAULT_CONTEXT})`,
      wholeNumber('--context', 1),
    );
  for (const [field, { kind, option }] of RECIPE_ENTRIES) {
    if (!option || without.includes(field)) continue;
    const added = new FieldOption(field, option.flags, option.help);
    const parse = parserOf(`--${added.name()}`, kind);
    command.addOption(added.argParser(parse));
  }
  return command;
}

/** The options of recipe fields, and of targets, that are given. */
export function givenPlanOptions(options: PlanCommandOptions): string[] {
  const fields = RECIPE_ENTRIES.flatMap(([field, { option, isBeside }]) =>
    option && !isBeside && options[field as keyof PlanCommandOptions] !== undefined
      ? [`--${new Option(option.flags).name()}`]
      : [],
  );
  return [...TARGETS.filter((kind) => options[kind] !== undefined).map((kind) => `--${kind}`), ...fields];
}

/** The planner's options from the command line's. Throws UsageError unless exactly one target is given. */
export function planOptionsFrom(options: PlanCommandOptions): PlanOptions {
  return { ...planChoicesFrom(options), target: targetFrom(options) };
}

/** The same without a target. */
export function planChoicesFrom(options: PlanCommandOptions): Omit<PlanOptions, 'target'> {
  const chosen = RECIPE_ENTRIES.flatMap(([field, { isRecorded }]) => {
    const value = options[field as keyof PlanCommandOptions];
    return value === undefined || isRecorded || field === 'target' || field === 'compensate' ? [] : [[field, value]];
  });
  return {
    roundTo: DEFAULT_ROUND_TO,
    ...(Object.fromEntries(chosen) as Partial<Omit<RecipeChoices, 'target'>>),
  };
}

/** Tokens that a cache holds in a target in memory. */
const DEFAULT_CONTEXT = 2048;

export const TARGETS: readonly TargetKind[] = ['ratio', 'parameters', 'bytes', 'memory'];

function targetFrom(options: PlanCommandOptions): Target {
  const given = TARGETS.filter((kind) => options[kind] !== undefined);
  const [kind] = given;
  if (given.length !== 1 || kind === undefined) {
    throw new UsageError(
      `Give one target: --ratio, --parameters, --bytes or --memory; found ${given.length === 0 ? 'none' : given.map((name) => `--${name}`).join(' and ')}.`,
    );
  }
  const { context } = options;
  const value = options[kind] as number;
  if (kind !== 'memory') {
    if (context !== undefined)
      throw new UsageError(`--context ${context} belongs to --memory; leave it out with --${kind}.`);
    return { kind, value };
  }
  return { kind, value, context: context ?? DEFAULT_CONTEXT };
}

/** As much of the vocabulary as a target is best met with: found by measuring, so that only commands with the model can. */
export const AUTO_VOCABULARY = 'auto';

/** A parser of what a field of that kind holds. Throws UsageError where its shape has no words. */
function parserOf(flag: string, kind: RecipeField['kind']): (text: string) => unknown {
  const { shape } = kind;
  switch (shape.type) {
    case 'text':
      return (text) =>
        text === AUTO_VOCABULARY && flag === '--vocabulary'
          ? text
          : kind.read(text, flag, (_, value, expected) => {
              throw new UsageError(`${flag} is ${JSON.stringify(value)}; it must be ${expected}.`);
            });
    case 'choice':
      return oneOf(flag, shape.values);
    case 'whole':
      return wholeNumber(flag, shape.least);
    case 'number':
      return realNumber(flag, shape.least, shape.most);
    case 'layers':
      return layers(flag);
    case 'record':
      throw new UsageError(`${flag} cannot be written in one word.`);
  }
}

function layers(flag: string): (text: string) => number[] {
  return (text) =>
    text.split(',').map((part) => {
      const layer = Number(part);
      if (part.trim() !== '' && Number.isSafeInteger(layer) && layer >= 0) return layer;
      throw new UsageError(`${flag} is "${text}"; it must list layer numbers separated by commas, for example 0,1,29.`);
    });
}
