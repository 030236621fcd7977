import { Command, CommanderError } from 'commander';
import { CancelledError, EspalierError, UsageError } from '../errors.ts';
import { VERSION } from '../library/version.ts';
import { asksForAdapters, tellAdapters } from './adapters.ts';
import { COMMANDS } from './commands.ts';

/** Exit codes of docs/architecture.md section 7.1. */
const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/**
 * Runs one command. Resolves with the exit code; never throws. Ctrl-C aborts the command's signal, so that nothing half-written is left;
 * a second Ctrl-C ends the process at once.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  const program = new Command('espalier')
    .description('Prune language models by structural importance (SAAP).')
    .version(VERSION);
  program.exitOverride().configureOutput({ writeErr: (text) => process.stderr.write(text) });
  for (const add of COMMANDS) add(program, controller.signal);
  for (const command of program.commands)
    command.exitOverride().configureOutput({ writeErr: (text) => process.stderr.write(text) });
  try {
    if (asksForAdapters(argv)) {
      await tellAdapters(argv);
      return EXIT.done;
    }
    await program.parseAsync(argv, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (controller.signal.aborted || error instanceof CancelledError) {
      process.stderr.write('Interrupted; nothing was written.\n');
      return EXIT.interrupted;
    }
    if (error instanceof EspalierError) process.stderr.write(`espalier: ${error.message}\n`);
    else if (isSystemError(error))
      process.stderr.write(
        `espalier: the system refused: ${error.message}. Check that path, its permissions and the free space.\n`,
      );
    else
      process.stderr.write(
        `espalier: unexpected failure: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      );
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

/** A refusal by the operating system: no permission, no space, too many files. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}
