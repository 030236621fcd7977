import { join } from 'node:path';
import type { Command } from 'commander';
import { diskFolder } from '../checkpoint/files/disk.ts';
import type { Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { openOnDisk } from '../export/disk.ts';
import type { Decoder } from '../generate/decoder.ts';
import { generate } from '../generate/generate.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import { openExported } from '../library/exported-model.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { createConsole } from './console.ts';
import { computedOn, exportedFolder, openRuntime, withModel } from './models.ts';
import { addCommonOptions, type CommonOptions, realNumber, wholeNumber } from './options.ts';

interface GenerateOptions extends CommonOptions {
  readonly prompt: string;
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly repetitionPenalty?: number;
  readonly seed: number;
  readonly chat?: boolean;
}

export function addGenerate(program: Command, signal: AbortSignal): void {
  addCommonOptions(program.command('generate <model>').description('continues a prompt'))
    .requiredOption('--prompt <text>', 'text to continue')
    .option('--max-new-tokens <n>', 'tokens to generate at most', wholeNumber('--max-new-tokens', 1), 64)
    .option('--temperature <t>', '0 takes the most probable token', realNumber('--temperature', 0), 0)
    .option('--top-k <n>', 'sample among the k most probable tokens', wholeNumber('--top-k', 1))
    .option(
      '--top-p <p>',
      'sample among the most probable tokens that hold this probability',
      realNumber('--top-p', 0, 1),
    )
    .option(
      '--repetition-penalty <x>',
      'divide the logits of tokens that were used',
      realNumber('--repetition-penalty', 0),
    )
    .option('--seed <n>', 'seed of the sampling', wholeNumber('--seed', 0), 0)
    .option('--chat', "put the prompt into the model's chat template")
    .action(async (name: string, options: GenerateOptions) => {
      const folder = await exportedFolder(name);
      if (folder === undefined) {
        await withModel(name, options, signal, async (open) => {
          using decoder = await decoderForModel(open.runtime, open.model, { signal });
          await run(open.runtime, decoder, await open.tokenizer(), open.config.maximumPositions, options, signal);
        });
      } else {
        using runtime = await openRuntime(options);
        const notes: string[] = [];
        const note = (sentence: string) => {
          notes.push(sentence);
          createConsole({ json: options.json ?? false, quiet: options.quiet ?? false }).note(sentence);
        };
        using model = await openExported(
          runtime,
          await diskFolder(folder),
          (file) => openOnDisk(join(folder, file), runtime.backend),
          note,
        );
        await run(runtime, model.decoder, model.tokenizer, model.maximumPositions, options, signal, notes);
      }
    });
}

async function run(
  runtime: Runtime,
  decoder: Decoder,
  tokenizer: Tokenizer,
  maximumPositions: number,
  options: GenerateOptions,
  signal: AbortSignal,
  notes: readonly string[] = [],
): Promise<void> {
  const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
  const { prompt, maxNewTokens, temperature, topK, topP, repetitionPenalty, seed } = options;
  const promptIds = options.chat
    ? tokenizer.encode(tokenizer.applyChatTemplate([{ role: 'user', content: prompt }]), { addSpecialTokens: false })
    : tokenizer.encode(prompt);
  if (!options.chat) output.stream(prompt);
  const result = await generate(decoder, tokenizer, promptIds, {
    maxNewTokens,
    temperature,
    seed,
    maximumPositions,
    signal,
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    ...(repetitionPenalty === undefined ? {} : { repetitionPenalty }),
    onToken: ({ text }) => output.stream(text),
  });
  output.stream('\n');
  const { text, tokenIds, timeToFirstToken, prefillTokensPerSecond, decodeTokensPerSecond, finish } = result;
  const speed = `${promptIds.length} prompt tokens at ${prefillTokensPerSecond.toFixed(0)} tokens/s, first token after ${(timeToFirstToken * 1000).toFixed(0)} ms, ${tokenIds.length} tokens at ${decodeTokensPerSecond.toFixed(1)} tokens/s`;
  if (output.json)
    output.result(
      {
        text,
        tokenIds,
        timeToFirstToken,
        prefillTokensPerSecond,
        decodeTokensPerSecond,
        promptTokens: promptIds.length,
        finish,
        ...computedOn(runtime),
        ...(notes.length > 0 && { notes }),
      },
      () => [],
    );
  else output.note(speed);
}
