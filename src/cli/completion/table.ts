import type { Command, Option } from 'commander';
import { wordsOf } from '../options.ts';

/** What may stand in a place of the command line. */
export type Place =
  | { readonly kind: 'file' | 'folder' | 'model' | 'text' }
  | { readonly kind: 'words'; readonly words: readonly string[] };

/** An option as shells complete it. */
export interface CompletedOption {
  /** '--name', and '-n' where there is one. */
  readonly flags: readonly string[];
  readonly help: string;
  /** Of its value; absent for one that takes none. */
  readonly value?: Place;
}

/** A command as shells complete it. */
export interface CompletedCommand {
  readonly name: string;
  readonly help: string;
  /** Of its arguments; the last one is repeated where it may be. */
  readonly places: readonly Place[];
  readonly options: readonly CompletedOption[];
}

/** Everything that can be completed, from the tables of options that parse it. */
export function completionTable(program: Command): readonly CompletedCommand[] {
  return program.commands.map((command) => ({
    name: command.name(),
    help: firstWords(command.description()),
    places: command.registeredArguments.map((argument) =>
      argument.argChoices
        ? { kind: 'words', words: argument.argChoices }
        : { kind: ARGUMENTS[argument.name()] ?? 'text' },
    ),
    options: [
      ...command.options.map(completedOption),
      { flags: ['--help', '-h'], help: 'display help for command' } as const,
    ],
  }));
}

const ARGUMENTS: Readonly<Record<string, 'file' | 'folder' | 'model'>> = {
  model: 'model',
  scores: 'file',
  partial: 'file',
  folder: 'folder',
};

function completedOption(option: Option): CompletedOption {
  const flags = [option.long, option.short].filter((flag) => flag !== undefined);
  const help = firstWords(option.description);
  return option.isBoolean() ? { flags, help } : { flags, help, value: placeOf(option) };
}

function placeOf(option: Option): Place {
  const words = wordsOf(option.parseArg);
  if (words) return { kind: 'words', words };
  const [, value = ''] = /[<[]([^>\].]*)/.exec(option.flags) ?? [];
  if (value === 'file') return { kind: 'file' };
  if (value === 'folder' || value === 'dir') return { kind: 'folder' };
  return { kind: value === 'dense' ? 'model' : 'text' };
}

/** Up to the first colon, semicolon or bracket: menus of shells are narrow. */
function firstWords(help: string): string {
  return (help.split(/[:;(]/)[0] ?? help).trim();
}
