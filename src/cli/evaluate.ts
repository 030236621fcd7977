import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { diskFolder } from '../checkpoint/files/disk.ts';
import type { Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { UsageError } from '../errors.ts';
import { decoderPerplexity } from '../evaluate/decoder-perplexity.ts';
import { DenseReference } from '../evaluate/divergence/dense-reference.ts';
import { type PerplexityResult, perplexity } from '../evaluate/perplexity.ts';
import { readTokenIds } from '../evaluate/text.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import { openOnDisk } from '../export/disk.ts';
import { openExported } from '../library/exported-model.ts';
import type { LongRunning } from '../progress.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { readBytes } from './calibration.ts';
import { type Console, createConsole } from './console.ts';
import { addTaskOptions, evaluateTasksCommand, type TaskOptions } from './evaluate-tasks.ts';
import { type ComputedOn, computedOn, exportedFolder, openDense, openRuntime, withModel } from './models.ts';
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
      const folder = await exportedFolder(name);
      const telling = { signal, onProgress: output.onProgress };
      const evaluated =
        folder === undefined
          ? await withModel(name, options, signal, async (open) => {
              const { windows, source } = await readWindows(
                open.config.vocabulary,
                () => open.tokenizer(),
                options,
                telling,
              );
              return {
                source,
                ...computedOn(open.runtime),
                ...(await againstDense(options, open.config.vocabulary, open.runtime, windows, telling, (against) =>
                  perplexity(open.programs, open.store, windows, { against, ...telling }),
                )),
              };
            })
          : await evaluateExported(folder, options, telling, output);
      const { windowLosses, windowDivergences: _, source, ...result } = evaluated;
      const { klDivergence, klStandardError, top1Agreement } = result;
      output.result({ model: name, source, ...result }, () => [
        `${name} on ${source}: perplexity ${result.perplexity.toFixed(3)} ± ${result.standardError.toFixed(3)} (standard error over ${windowLosses.length} windows).`,
        `${result.tokens} predictions in windows of ${result.window} tokens; loss ${result.loss.toFixed(4)} nats.`,
        ...(klDivergence === undefined
          ? []
          : [
              `From ${options.against}: KL ${klDivergence.toFixed(4)} ± ${klStandardError?.toFixed(4)} nats a token; the same most probable token at ${(100 * (top1Agreement ?? 0)).toFixed(1)}% of the positions.`,
            ]),
      ]);
    });
}

/** Perplexity of an exported decoder itself, not of the weights that it was made from. */
async function evaluateExported(
  folder: string,
  options: EvaluateOptions,
  telling: LongRunning,
  output: Console,
): Promise<PerplexityResult & ComputedOn & { readonly source: string }> {
  using runtime = await openRuntime(options);
  using model = await openExported(
    runtime,
    await diskFolder(folder),
    (file) => openOnDisk(join(folder, file), runtime.backend),
    output.note,
  );
  const { windows, source } = await readWindows(model.vocabulary, async () => model.tokenizer, options, telling);
  return {
    source,
    ...computedOn(runtime),
    ...(await againstDense(options, model.vocabulary, runtime, windows, telling, (against) =>
      decoderPerplexity(model.decoder, model.vocabulary, windows, { against, ...telling }),
    )),
  };
}

/** Measures with the dense model of `--against` at hand, where there is one. */
async function againstDense<Result>(
  options: EvaluateOptions,
  vocabulary: number,
  runtime: Runtime,
  windows: readonly ArrayLike<number>[],
  telling: LongRunning,
  measure: (against: DenseReference | undefined) => Promise<Result>,
): Promise<Result> {
  if (options.against === undefined) return measure(undefined);
  using dense = await openDense(options.against, vocabulary, runtime, options);
  return measure(await DenseReference.of(dense.programs, dense.store, windows, telling));
}

async function readWindows(
  vocabulary: number,
  tokenizer: () => Promise<Tokenizer>,
  options: EvaluateOptions,
  running: LongRunning,
): Promise<{ readonly windows: readonly Int32Array[]; readonly source: string }> {
  if (options.tokenIds !== undefined) {
    const name = basename(options.tokenIds);
    return { windows: readTokenIds({ name, bytes: await readBytes(options.tokenIds) }, vocabulary), source: name };
  }
  if (!options.text)
    throw new UsageError('Nothing to evaluate on: give --text FILE, --token-ids FILE or --tasks NAMES.');
  const { maxTokens } = options;
  const { ids, source } = await readTextIds(options.text, await tokenizer(), {
    ...running,
    maxTokens,
    wantsDigest: false,
  });
  return { windows: tokenWindows(ids, { length: options.window }), source };
}
