import { Command } from 'commander';
import { VERSION } from '../library/version.ts';
import { COMMANDS } from './commands.ts';
import { applyConfig } from './config.ts';
import { EXAMPLES, exampleLines } from './examples.ts';
import { styled } from './terminal.ts';

/** A command whose options may come from a file: `--config` fills in those that are not given. */
class ConfigurableCommand extends Command {
  override createCommand(name?: string): Command {
    return new ConfigurableCommand(name);
  }

  override parseOptions(argv: string[]): ReturnType<Command['parseOptions']> {
    const parsed = super.parseOptions(argv);
    const file: unknown = this.getOptionValue('config');
    if (typeof file === 'string') applyConfig(this, file);
    // A mistyped option is told as what it is, not as the absence of the one that was meant.
    if (parsed.unknown.some((word) => word.startsWith('-')))
      for (const option of this.options)
        if (option.mandatory && this.getOptionValue(option.attributeName()) === undefined)
          this.setOptionValue(option.attributeName(), '');
    return parsed;
  }
}

/** The whole command line: every command with its options and examples. Nothing runs before it parses. */
export function createProgram(signal: AbortSignal): Command {
  const program = new ConfigurableCommand('espalier')
    .description('Prune language models by structural importance (SAAP).')
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => process.stdout.write(text),
      writeErr: (text) => process.stderr.write(text),
    })
    // Commander leaves the style out where NO_COLOR, or no terminal, asks for it.
    .configureHelp({ styleTitle: (title) => styled(title, 'bold', true) });
  for (const add of COMMANDS) add(program, signal);
  for (const command of [program, ...program.commands])
    command.addHelpText('after', `\n${exampleLines(EXAMPLES[command.name()] ?? [])}`);
  return program;
}
