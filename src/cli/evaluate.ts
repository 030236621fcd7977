import { basename } from 'node:path';
import type { Command } from 'commander';
import { UsageError } from '../errors.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import { readTokenIds } from '../evaluate/text.ts';
import { tokenWindows } from '../evaluate/windows.ts';
import type { OpenModel } from '../library/open-model.ts';
import { readBytes, readText } from './calibration.ts';
import { createConsole } from './console.ts';
import { withModel } from './models.ts';
import { addCommonOptions, type CommonOptions, wholeNumber } from './options.ts';

interface EvaluateOptions extends CommonOptions {
  readonly text?: readonly string[];
  readonly window: number;
  readonly maxTokens?: number;
  readonly tokenIds?: string;
}

export function addEvaluate(program: Command, signal: AbortSignal): void {
  addCommonOptions(program.command('evaluate <model>').description('perplexity on a text'))
    .option('--text <file...>', 'text to predict: .txt, .raw, .md, or JSON lines with a "text" field')
    .option('--window <n>', 'tokens per window; windows do not overlap', wholeNumber('--window', 2), 128)
    .option('--max-tokens <n>', 'use the first so many tokens of the text', wholeNumber('--max-tokens', 2))
    .option('--token-ids <file>', 'windows as JSON, an array of arrays of token ids, instead of text')
    .action(async (name: string, options: EvaluateOptions) => {
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      await withModel(name, options, async (open) => {
        const { windows, source } = await readWindows(open, options);
        const { windowLosses, ...result } = await perplexity(open.programs, open.store, windows, { signal, onProgress: output.onProgress });
        output.result({ model: name, source, ...result }, () => [
          `${name} on ${source}: perplexity ${result.perplexity.toFixed(3)} ± ${result.standardError.toFixed(3)} (standard error over ${windowLosses.length} windows).`,
          `${result.tokens} predictions in windows of ${result.window} tokens; loss ${result.loss.toFixed(4)} nats.`,
        ]);
      });
    });
}

async function readWindows(open: OpenModel, options: EvaluateOptions): Promise<{ readonly windows: readonly Int32Array[]; readonly source: string }> {
  if (options.tokenIds !== undefined) {
    const name = basename(options.tokenIds);
    return { windows: readTokenIds({ name, bytes: await readBytes(options.tokenIds) }, open.config.vocabulary), source: name };
  }
  if (!options.text) throw new UsageError('Nothing to evaluate on: give --text FILE or --token-ids FILE.');
  const { text, source } = await readText(options.text);
  const ids = (await open.tokenizer()).encode(text, { addSpecialTokens: false });
  return { windows: tokenWindows(options.maxTokens === undefined ? ids : ids.slice(0, options.maxTokens), { length: options.window }), source };
}
