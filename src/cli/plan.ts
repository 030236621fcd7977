import type { Command } from 'commander';
import { UsageError } from '../errors.ts';
import { type MultiplyAccumulates, planMultiplyAccumulates } from '../library/multiply-accumulates.ts';
import { encodePlan, plan as planScores, reached, reachedSentence } from '../library/plan.ts';
import type { Plan } from '../plan/plan.ts';
import { createConsole } from './console.ts';
import { addMethodOption, withMethod } from './method-option.ts';
import { readScores } from './models.ts';
import { addCommonOptions, type CommonOptions, wholeNumber } from './options.ts';
import { addPlanOptions, type PlanCommandOptions, planOptionsFrom } from './plan-options.ts';
import { checkWritable, writeWhole } from './write-file.ts';

interface PlanOptions extends CommonOptions, PlanCommandOptions {
  readonly method?: string;
  readonly output: string;
}

export function addPlan(program: Command, signal: AbortSignal): void {
  addCommonOptions(
    addMethodOption(
      addPlanOptions(program.command('plan <scores>').description('which groups stay, from a score file alone')),
    ),
  )
    .option('--seed <n>', 'seed of the random baseline', wholeNumber('--seed', 0))
    .requiredOption('--output <file>', 'plan to write (JSON)')
    .action(async (path: string, given: PlanOptions) => {
      const options = planningOnly(withMethod(given), given.method);
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      const planning = planOptionsFrom(options);
      await checkWritable(options.output);
      const scores = await readScores(path);
      const started = performance.now();
      const plan = planScores(scores, planning);
      const milliseconds = performance.now() - started;
      await writeWhole(options.output, encodePlan(plan), signal);
      if (plan.parametersAfter === plan.parametersBefore)
        output.note('The plan removes nothing: the target is less than a step. Ask for more, or for --round-to 1.');
      const { ratio, parametersBefore, parametersAfter, layers } = plan;
      const multiplyAccumulates = planMultiplyAccumulates(scores, plan);
      const found = reached(scores, plan);
      const figures = { ratio, parametersBefore, parametersAfter, multiplyAccumulates, reached: found };
      output.result({ ...figures, layers, milliseconds }, () => [
        ...describePlan(plan),
        reachedSentence(found, plan),
        ...(multiplyAccumulates ? [describeWork(multiplyAccumulates)] : []),
        `Planned in ${milliseconds.toFixed(1)} ms; wrote ${options.output}.`,
      ]);
    });
}

/** Throws UsageError for a method that does more than plan from scores. */
function planningOnly(
  options: PlanOptions & { readonly compensate?: string },
  method: string | undefined,
): PlanOptions {
  const { compensate = 'none', search } = options;
  if (method !== undefined && (compensate !== 'none' || search === 'measured'))
    throw new UsageError(
      `--method ${method} needs the model, and plan has its scores alone; give it to "espalier prune".`,
    );
  return options;
}

function describeWork({ context, before, after }: MultiplyAccumulates): string {
  const count = (value: number) => value.toLocaleString('en-US');
  return `${count(before)} multiply-accumulates a token, with a context of ${count(context)}, become ${count(after)} (${(100 * (1 - after / before)).toFixed(1)}% fewer).`;
}

/** Sizes and kept widths of a plan, for people. */
export function describePlan(plan: Plan): string[] {
  const removed = plan.parametersBefore - plan.parametersAfter;
  const convolves = plan.layers.some(({ convolution }) => convolution);
  return [
    `${plan.parametersBefore.toLocaleString('en-US')} parameters become ${plan.parametersAfter.toLocaleString('en-US')} (${removed.toLocaleString('en-US')} removed, ${(plan.ratio * 100).toFixed(2)}% of what can be pruned).`,
    `layer  attention groups  ${convolves ? 'channels  ' : ''}neurons`,
    ...plan.layers.map(
      ({ attention, convolution, mlp }, layer) =>
        `${String(layer).padStart(5)}  ${String(attention.length).padStart(16)}  ${convolves ? `${String(convolution?.length ?? '').padStart(8)}  ` : ''}${String(mlp.length).padStart(7)}`,
    ),
  ];
}
