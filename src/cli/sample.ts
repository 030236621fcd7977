import type { Command } from 'commander';
import { sample } from '../library/sample.ts';
import { createConsole } from './console.ts';
import { computedOn, withModel } from './models.ts';
import { addCommonOptions, type CommonOptions, wholeNumber } from './options.ts';
import { checkWritable, writeWhole } from './write-file.ts';

interface SampleCommandOptions extends CommonOptions {
  readonly windows: number;
  readonly length: number;
  readonly seed: number;
  readonly opening?: readonly string[];
  readonly output: string;
}

export function addSample(program: Command, signal: AbortSignal): void {
  addCommonOptions(
    program
      .command('sample <model>')
      .description('text that the model writes itself, to calibrate on where there is none'),
  )
    .option('--windows <n>', 'texts', wholeNumber('--windows', 1), 192)
    .option('--length <n>', 'tokens of a text', wholeNumber('--length', 2), 128)
    .option('--seed <n>', 'seed of the sampling', wholeNumber('--seed', 0), 0)
    .option('--opening <text...>', 'what texts begin with, taken in turn (default: a drawn token)')
    .requiredOption(
      '--output <file>',
      'what to write: JSON lines with a "text" field for --calibration, or with the ending .json windows for --token-ids',
    )
    .action(async (name: string, options: SampleCommandOptions) => {
      const console = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      const { windows, length, seed, opening = [], output } = options;
      await checkWritable(output);
      await withModel(name, options, signal, async (model) => {
        const start = performance.now();
        const texts = await sample(model, {
          ...{ windows, length, seed, openings: opening, signal, onProgress: console.onProgress },
        });
        const seconds = (performance.now() - start) / 1000;
        const contents = output.endsWith('.json')
          ? JSON.stringify(texts.map(({ tokenIds }) => tokenIds))
          : texts.map(({ text }) => `${JSON.stringify({ text })}\n`).join('');
        await writeWhole(output, contents, signal);
        const tokens = windows * length;
        console.result({ texts: texts.length, tokens, seconds, seed, output, ...computedOn(model.runtime) }, () => [
          `Wrote ${texts.length} texts of ${length} tokens (${(tokens / seconds).toFixed(0)} tokens/s) into ${output}.`,
        ]);
      });
    });
}
