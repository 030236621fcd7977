import type { Command } from 'commander';
import { UsageError } from '../errors.ts';
import type { PerplexityResult } from '../evaluate/perplexity.ts';
import { readTokenIds } from '../evaluate/text.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import { evaluate } from '../library/evaluate.ts';
import type { ExportedModel } from '../library/exported-model.ts';
import type { OpenModel } from '../library/open-model.ts';
import type { LongRunning } from '../progress.ts';
import { createConsole } from './console.ts';
import { addTaskOptions, evaluateTasksCommand, type TaskOptions } from './evaluate-tasks.ts';
import { readInput } from './input-file.ts';
import { missingStart } from './missing-start.ts';
import { computedOn, openDense, withAnyModel } from './models.ts';
import { addCommonOptions, type CommonOptions, wholeNumber } from './options.ts';
import { readTextIds } from './text-files.ts';

interface EvaluateOptions extends CommonOptions, TaskOptions {
  readonly text?: readonly string[];
  readonly window: number;
  readonly maxTokens?: number;
  readonly tokenIds?: string;
  readonly against?: string;
  readonly output?: string;
}

export function addEvaluate(program: Command, signal: AbortSignal): void {
  addTaskOptions(
    addCommonOptions(
      program.command('evaluate <model>').description('perplexity on a text, or zero-shot accuracy on tasks'),
    ),
  )
    .option('--text <file...>', 'text to predict: .txt, .raw, .md, or JSON lines with a "text" field')
    .option('--window <n>', 'tokens per window; windows do not overlap', wholeNumber('--window', 2), 128)
    .option('--max-tokens <n>', 'use the first so many tokens of the text', wholeNumber('--max-tokens', 2))
    .option('--token-ids <file>', 'windows as JSON, an array of arrays of token ids, instead of text')
    .option(
      '--against <dense>',
      'also how far MODEL is from this one: KL in nats a token, and the share of equal most probable tokens',
    )
    .option(
      '--output <file>',
      'with --tasks: JSON file of all results, kept while the work goes on; an interrupted run goes on from it',
    )
    .action(async (name: string, options: EvaluateOptions) => {
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      const { tasks } = options;
      if (tasks !== undefined) {
        if (options.against !== undefined) throw new UsageError('--against compares on a text; leave out --tasks.');
        if (options.text || options.tokenIds !== undefined)
          throw new UsageError('Give either --tasks or a text: --text FILE or --token-ids FILE.');
        return evaluateTasksCommand(name, { ...options, tasks }, signal, output);
      }
      const running = { signal, onProgress: output.onProgress };
      const evaluated = await withAnyModel(name, options, signal, output.note, async (model) => {
        const { windows, source } = await readWindows(model, options, running);
        const missing =
          options.text && (await missingStart(model, windows, 'compare this perplexity with none but such'));
        if (missing) output.note(missing);
        const result = await measure(model, windows, options, running);
        return { source, ...computedOn(model.runtime), ...result };
      });
      const { windowLosses, windowDivergences: _, source, ...result } = evaluated;
      const { klDivergence, klStandardError, top1Agreement } = result;
      output.result({ model: name, source, ...result }, () => [
        `${name} on ${source}: perplexity ${result.perplexity.toFixed(3)} ± ${result.standardError.toFixed(3)} (standard error over ${windowLosses.length} windows).`,
        `${result.tokens} predictions in windows of ${result.window} tokens; loss ${result.loss.toFixed(4)} nats${result.bitsPerByte === undefined ? '' : `, ${result.bitsPerByte.toFixed(4)} bits per byte of text`}.`,
        ...(klDivergence === undefined
          ? []
          : [
              `From ${options.against}: KL ${klDivergence.toFixed(4)} ± ${klStandardError?.toFixed(4)} nats a token; the same most probable token at ${(100 * (top1Agreement ?? 0)).toFixed(1)}% of the positions.`,
            ]),
      ]);
    });
}

/** Measures with the dense model of `--against` at hand, where there is one. */
async function measure(
  model: OpenModel | ExportedModel,
  windows: readonly Int32Array[],
  { against, ...options }: EvaluateOptions,
  running: LongRunning,
): Promise<PerplexityResult> {
  if (against === undefined) return evaluate(model, { windows, ...running });
  using dense = await openDense(against, model.vocabulary, model.runtime, options);
  return await evaluate(model, { windows, against: dense, ...running });
}

async function readWindows(
  model: OpenModel | ExportedModel,
  options: EvaluateOptions,
  running: LongRunning,
): Promise<{ readonly windows: readonly Int32Array[]; readonly source: string }> {
  if (options.tokenIds !== undefined) {
    const file = await readInput(options.tokenIds);
    return { windows: readTokenIds(file, model.vocabulary), source: file.name };
  }
  if (!options.text)
    throw new UsageError('Nothing to evaluate on: give --text FILE, --token-ids FILE or --tasks NAMES.');
  const { window, maxTokens } = options;
  const { ids, source } = await readTextIds(options.text, await model.tokenizer(), {
    ...running,
    maxTokens,
    wantsDigest: false,
  });
  return { windows: tokenWindows(ids, { length: window }), source };
}
