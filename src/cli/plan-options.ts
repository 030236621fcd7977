import type { Command } from 'commander';
import { EXPORT_FORMATS, type ExportDataType } from '../decoder/dtypes.ts';
import { UsageError } from '../errors.ts';
import type { Target } from '../plan/plan.ts';
import { DEFAULT_ROUND_TO, type PlanOptions } from '../plan/plan-options.ts';
import { SEARCHES } from '../plan/search/searches.ts';
import { oneOf, ratio, realNumber, wholeNumber } from './options.ts';

/** Options that shape a plan, shared by plan and prune. */
export interface PlanCommandOptions {
  readonly ratio?: number;
  readonly parameters?: number;
  readonly bytes?: number;
  readonly memory?: number;
  readonly context?: number;
  readonly dtype?: ExportDataType;
  readonly metric?: string;
  readonly fusion?: 'shared' | 'geometric';
  readonly scope?: 'model' | 'module' | 'layer';
  readonly search?: string;
  readonly gamma?: number;
  readonly stability?: number;
  readonly protect?: string;
  readonly minimumAttentionGroups?: number;
  readonly minimumNeurons?: number;
  readonly roundTo?: number;
  readonly seed?: number;
}

const DATA_TYPES = Object.keys(EXPORT_FORMATS) as ExportDataType[];

export function addPlanOptions(command: Command): Command {
  return command
    .option('--ratio <r>', 'share of the prunable weights to remove, e.g. 0.2', ratio('--ratio'))
    .option('--parameters <n>', 'parameters that the pruned model may have', wholeNumber('--parameters', 1))
    .option('--bytes <n>', 'bytes that the export may have, graph and weights', wholeNumber('--bytes', 1))
    .option(
      '--memory <n>',
      'bytes that the export and its key/value cache may have at --context tokens',
      wholeNumber('--memory', 1),
    )
    .option('--context <n>', 'tokens in the cache for --memory', wholeNumber('--context', 1))
    .option(
      '--dtype <type>',
      `number format of the export: ${DATA_TYPES.join(', ')} (default: f32)`,
      oneOf('--dtype', DATA_TYPES),
    )
    .option('--metric <m>', 'metric, or metrics to fuse joined by "+" (default: element-second+fisher)')
    .option('--fusion <kind>', 'shared or geometric', oneOf('--fusion', ['shared', 'geometric']))
    .option(
      '--scope <scope>',
      'scope of the fusion: model, module or layer',
      oneOf('--scope', ['model', 'module', 'layer']),
    )
    .option(
      '--search <s>',
      `how groups are ranked: ${SEARCHES.map(({ name }) => name).join(', ')}; for prune also measured (default: tempered)`,
    )
    .option('--gamma <g>', 'exponent of the tempered search (default: the ratio)', realNumber('--gamma', 0))
    .option(
      '--stability <p>',
      'exponent of (1 + stability) on the score: -1 divides, 1 multiplies',
      realNumber('--stability', -16),
    )
    .option('--protect <layers>', 'comma-separated layers that stay whole')
    .option(
      '--minimum-attention-groups <n>',
      'attention groups that stay in every layer',
      wholeNumber('--minimum-attention-groups', 1),
    )
    .option('--minimum-neurons <n>', 'neurons that stay in every layer', wholeNumber('--minimum-neurons', 1))
    .option(
      '--round-to <n>',
      `round the neurons of a layer to a multiple; on WebGPU f32 needs multiples of 4 to be fast, 1 meets the target to a single neuron (default: ${DEFAULT_ROUND_TO})`,
      wholeNumber('--round-to', 1),
    );
}

/** The planner's options from the command line's. Throws UsageError unless exactly one target is given. */
export function planOptionsFrom(options: PlanCommandOptions): PlanOptions {
  const {
    metric,
    fusion,
    scope: fusionScope,
    search,
    gamma,
    stability,
    minimumAttentionGroups,
    minimumNeurons,
    roundTo = DEFAULT_ROUND_TO,
    dtype,
    seed,
  } = options;
  const protect = parseLayers(options.protect);
  const wanted = {
    metric,
    fusion,
    fusionScope,
    search,
    gamma,
    stability,
    minimumAttentionGroups,
    minimumNeurons,
    roundTo,
    dtype,
    seed,
    protect,
  };
  return {
    ...(Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined)) as Partial<PlanOptions>),
    target: targetFrom(options),
  };
}

function targetFrom(options: PlanCommandOptions): Target {
  const given = (['ratio', 'parameters', 'bytes', 'memory'] as const).filter((kind) => options[kind] !== undefined);
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
  if (context === undefined)
    throw new UsageError('--memory needs --context: how many tokens the cache holds, for example 2048.');
  return { kind, value, context };
}

function parseLayers(list: string | undefined): number[] | undefined {
  return list?.split(',').map((part) => {
    const layer = Number(part);
    if (part.trim() !== '' && Number.isSafeInteger(layer) && layer >= 0) return layer;
    throw new UsageError(`--protect is "${list}"; it must list layer numbers separated by commas, for example 0,1,29.`);
  });
}
