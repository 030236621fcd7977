import type { Command } from 'commander';
import { UsageError } from '../errors.ts';
import { METHOD_SUFFIXES, METHODS, parseMethod } from '../library/comparison/methods.ts';
import { completedBy } from './options.ts';
import type { PlanCommandOptions } from './plan-options.ts';

interface MethodOptions extends PlanCommandOptions {
  readonly method?: string;
  readonly compensate?: 'none' | 'bias' | 'least-squares';
  readonly plan?: string;
}

/** `--method`: one name for metric, fusion, search and repair, as `compare` knows them. */
export function addMethodOption(command: Command): Command {
  const names = METHODS.map(({ name }) => name);
  return command.option(
    '--method <name>',
    `a method by its name, for metric, fusion, search and repair at once: ${names.join(', ')}; ${METHOD_SUFFIXES}`,
    completedBy(names, (text) => parseMethod(text).name),
  );
}

/**
 * The options with what `--method` stands for. Throws UsageError for an unknown name, for a plan or an option that says the same thing otherwise, and for a training,
 * which other commands do.
 */
export function withMethod<Options extends MethodOptions>(options: Options): Options {
  if (options.method === undefined) return options;
  const { name, recipe, planning, modelMetric, repair, recovery } = parseMethod(options.method);
  if (options.plan !== undefined) throw new UsageError('--plan already says what stays; leave out --method.');
  if (recovery)
    throw new UsageError(
      `--method ${name} trains after pruning; "espalier recover" does, or leave out "+${recovery}" here.`,
    );
  if (planning === 'passes')
    throw new UsageError(`--method ${name} scores anew in passes; give --method saap and --passes with their number.`);
  const { compensate, ...rest } = recipe;
  if (modelMetric || planning === 'replace-me' || repair)
    throw new UsageError(
      `--method ${name} is for "espalier compare", which computes what it needs on the model; here methods plan from scores, as saap does.`,
    );
  const fixed = { ...rest, ...(planning === 'measured' && { search: 'measured' }) };
  for (const [field, flag] of Object.entries(FLAGS) as [keyof typeof FLAGS, string][])
    if (options[field] !== undefined && options[field] !== fixed[field])
      throw new UsageError(`--method ${name} already says the ${field}; leave out ${flag} ${options[field]}.`);
  const asked = options.compensate ?? 'none';
  if (compensate !== 'none' && asked !== 'none' && asked !== compensate)
    throw new UsageError(`--method ${name} already says the repair; leave out --compensate ${asked}.`);
  return { ...options, ...fixed, compensate: compensate === 'none' ? asked : compensate };
}

const FLAGS = { metric: '--metric', fusion: '--fusion', fusionScope: '--scope', search: '--search' } as const;
