import { openAsBlob } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { diskFolder } from '../library/disk.ts';
import { push } from '../library/push.ts';
import { createConsole } from './console.ts';

interface PushOptions {
  readonly private?: boolean;
  readonly licence?: string;
  readonly baseModel?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function addPush(program: Command, signal: AbortSignal): void {
  program
    .command('push <folder> <repository>')
    .description('publishes a folder that prune wrote on the model hub (token from HF_TOKEN, hub from HF_ENDPOINT)')
    .option('--private', 'make a new repository private')
    .option(
      '--licence <id>',
      "licence in the model card, by the hub's name, such as apache-2.0 (default: as the card has it)",
    )
    .option('--base-model <org/name>', 'the model that was pruned, in the model card (default: as the card has it)')
    .option('--json', 'print one JSON document on standard output')
    .option('--quiet', 'no progress and notes on standard error')
    .action(async (path: string, repository: string, options: PushOptions) => {
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      const pushed = await push({
        folder: await diskFolder(path),
        repository,
        token: process.env.HF_TOKEN ?? '',
        endpoint: process.env.HF_ENDPOINT,
        isPrivate: options.private ?? false,
        licence: options.licence,
        baseModel: options.baseModel,
        blobOf: (name) => openAsBlob(join(path, name)),
        signal,
        onProgress: output.onProgress,
      });
      output.result(pushed, () => [
        `Published ${pushed.files.length} files as ${pushed.url}, commit ${pushed.commit}.`,
      ]);
    });
}
