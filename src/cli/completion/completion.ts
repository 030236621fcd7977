import { Argument, type Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { type CompletedCommand, completionTable } from './table.ts';
import { zshScript } from './zsh.ts';

const SHELLS: Readonly<Record<string, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** `completion`: a script for a shell, made from the tables of options, so that it knows all of them. */
export function addCompletion(program: Command): void {
  const names = Object.keys(SHELLS);
  const shells = new Argument('<shell>', names.join(', ')).choices(names).argParser((name: string) => {
    if (Object.hasOwn(SHELLS, name)) return name;
    throw new UsageError(`There is no completion for "${name}"; choose ${names.join(', ')}.`);
  });
  program
    .command('completion')
    .description('prints a script with which a shell completes commands, options and their values')
    .addArgument(shells)
    .action((shell: string) => {
      process.stdout.write(SHELLS[shell]?.(completionTable(program)) ?? '');
    });
}
