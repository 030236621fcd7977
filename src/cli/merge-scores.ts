import type { Command } from 'commander';
import { diskSource } from '../library/disk.ts';
import { mergeScores } from '../library/merge-scores.ts';
import { encodeScores, openSumsFile } from '../library/score-file.ts';
import { createConsole } from './console.ts';
import { checkWritable, writeWhole } from './write-file.ts';

interface MergeOptions {
  readonly output: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function addMergeScores(program: Command, signal: AbortSignal): void {
  program
    .command('merge-scores <partial...>')
    .description('adds the files of all shards of "score --shard" to the scores of one run')
    .option('--json', 'print one JSON document on standard output')
    .option('--quiet', 'no progress and notes on standard error')
    .requiredOption('--output <file>', 'score file to write (safetensors)')
    .action(async (paths: readonly string[], options: MergeOptions) => {
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      await checkWritable(options.output);
      const files = await Promise.all(paths.map(async (path) => openSumsFile(await diskSource(path, path))));
      const scores = await mergeScores(files, { signal, onProgress: output.onProgress });
      await writeWhole(options.output, encodeScores(scores), signal);
      const { loss, tokens, windows } = scores.calibration;
      const metrics = files[0]?.info.metrics ?? [];
      output.result({ loss, tokens, windows, shards: files.length, metrics, output: options.output }, () => [
        `Merged ${files.length} shards: ${windows} windows (${tokens} predictions), loss ${loss.toFixed(4)} nats.`,
        `Wrote ${options.output}.`,
      ]);
    });
}
