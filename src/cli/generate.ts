import { basename } from 'node:path';
import type { Command } from 'commander';
import { parseJsonWithFloats } from '../checkpoint/files/json.ts';
import { UsageError } from '../errors.ts';
import type { ExportedModel } from '../library/exported-model.ts';
import { generate } from '../library/generate.ts';
import type { OpenModel } from '../library/open-model.ts';
import { type Console, createConsole } from './console.ts';
import { readBytes } from './input-file.ts';
import { computedOn, withAnyModel } from './models.ts';
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
  readonly tools?: string;
  readonly chatTemplate?: string;
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
    .option('--tools <file>', 'JSON list of functions that the model may call, for its chat template (with --chat)')
    .option('--chat-template <name>', 'of several chat templates the one of this name (with --chat)')
    .action(async (name: string, options: GenerateOptions) => {
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      const notes: string[] = [];
      const onNote = (sentence: string) => {
        notes.push(sentence);
        output.note(sentence);
      };
      await withAnyModel(name, options, signal, onNote, (model) => run(model, options, signal, output, notes));
    });
}

async function run(
  model: OpenModel | ExportedModel,
  options: GenerateOptions,
  signal: AbortSignal,
  output: Console,
  notes: readonly string[],
): Promise<void> {
  const { prompt, maxNewTokens, temperature, topK, topP, repetitionPenalty, seed } = options;
  const tools = options.tools === undefined ? undefined : await readTools(options.tools);
  if (tools && !options.chat)
    throw new UsageError("--tools names functions for the model's chat template; give --chat as well.");
  // Told with the first token, so that nothing stands on standard output where the model cannot be used.
  let begun = options.chat ?? false;
  const begin = () => {
    if (!begun) output.stream(prompt);
    begun = true;
  };
  const result = await generate(model, {
    prompt: options.chat ? [{ role: 'user', content: prompt }] : prompt,
    maxNewTokens,
    temperature,
    seed,
    tools,
    template: options.chatTemplate,
    signal,
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    ...(repetitionPenalty === undefined ? {} : { repetitionPenalty }),
    onToken: ({ text }) => {
      begin();
      output.stream(text);
    },
  });
  begin();
  output.stream('\n');
  const { text, tokenIds, promptTokens, timeToFirstToken, prefillTokensPerSecond, decodeTokensPerSecond, finish } =
    result;
  const speed = `${promptTokens} prompt tokens at ${prefillTokensPerSecond.toFixed(0)} tokens/s, first token after ${(timeToFirstToken * 1000).toFixed(0)} ms, ${tokenIds.length} tokens at ${decodeTokensPerSecond.toFixed(1)} tokens/s`;
  if (output.json)
    output.result(
      {
        text,
        tokenIds,
        timeToFirstToken,
        prefillTokensPerSecond,
        decodeTokensPerSecond,
        promptTokens,
        finish,
        ...computedOn(model.runtime),
        ...(notes.length > 0 && { notes }),
      },
      () => [],
    );
  else output.note(speed);
}

async function readTools(path: string): Promise<readonly unknown[]> {
  const tools = parseJsonWithFloats(await readBytes(path), basename(path));
  if (!Array.isArray(tools) || tools.length === 0)
    throw new UsageError(
      `${basename(path)} is no list of functions; --tools expects [{"type": "function", "function": {"name": …, "parameters": …}}, …].`,
    );
  return tools;
}
