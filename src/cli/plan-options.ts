import type { Command } from 'commander';
import { UsageError } from '../errors.ts';
import type { PlanOptions } from '../saap/plan-options.ts';
import { oneOf, ratio, realNumber, wholeNumber } from './options.ts';

/** Options that shape a plan, shared by plan and prune. */
export interface PlanCommandOptions {
  readonly ratio?: number;
  readonly parameters?: number;
  readonly bytes?: number;
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

export function addPlanOptions(command: Command): Command {
  return command
    .option('--ratio <r>', 'share of the prunable weights to remove, e.g. 0.2', ratio('--ratio'))
    .option('--parameters <n>', 'parameters that the pruned model may have', wholeNumber('--parameters', 1))
    .option('--bytes <n>', 'bytes that the exported weights may have', wholeNumber('--bytes', 1))
    .option('--metric <m>', 'metric, or metrics to fuse joined by "+" (default: element-second+fisher)')
    .option('--fusion <kind>', 'shared or geometric', oneOf('--fusion', ['shared', 'geometric']))
    .option('--scope <scope>', 'scope of the fusion: model, module or layer', oneOf('--scope', ['model', 'module', 'layer']))
    .option('--search <s>', 'how groups are ranked (default: tempered)')
    .option('--gamma <g>', 'exponent of the tempered search (default: the ratio)', realNumber('--gamma', 0))
    .option('--stability <p>', 'exponent of (1 + stability) on the score: -1 divides, 1 multiplies', realNumber('--stability', -16))
    .option('--protect <layers>', 'comma-separated layers that stay whole')
    .option('--minimum-attention-groups <n>', 'attention groups that stay in every layer', wholeNumber('--minimum-attention-groups', 1))
    .option('--minimum-neurons <n>', 'neurons that stay in every layer', wholeNumber('--minimum-neurons', 1))
    .option('--round-to <n>', 'round the neurons of a layer to a multiple', wholeNumber('--round-to', 1));
}

/** The planner's options from the command line's. Throws UsageError unless exactly one target is given. */
export function planOptionsFrom(options: PlanCommandOptions): PlanOptions {
  const targets = (['ratio', 'parameters', 'bytes'] as const).filter((kind) => options[kind] !== undefined);
  const kind = targets[0];
  if (targets.length !== 1 || kind === undefined) {
    throw new UsageError(
      `Give one target: --ratio, --parameters or --bytes; found ${targets.length === 0 ? 'none' : targets.map((name) => `--${name}`).join(' and ')}.`,
    );
  }
  const { metric, fusion, scope: fusionScope, search, gamma, stability, minimumAttentionGroups, minimumNeurons, roundTo, seed } = options;
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
    seed,
    protect: parseLayers(options.protect),
  };
  return {
    ...(Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined)) as Partial<PlanOptions>),
    target: { kind, value: options[kind] as number },
  };
}

function parseLayers(list: string | undefined): number[] | undefined {
  return list?.split(',').map((part) => {
    const layer = Number(part);
    if (part.trim() !== '' && Number.isSafeInteger(layer) && layer >= 0) return layer;
    throw new UsageError(`--protect is "${list}"; it must list layer numbers separated by commas, for example 0,1,29.`);
  });
}
