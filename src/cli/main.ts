import { CommanderError } from 'commander';
import { CancelledError, EspalierError, UsageError } from '../errors.ts';
import { asksForAdapters, tellAdapters } from './adapters.ts';
import { beginDocument, failureDocument } from './console.ts';
import { interruption } from './interrupted.ts';
import { OutputLocks } from './output-locks.ts';
import { createProgram } from './program.ts';
import { isColourful, styled } from './terminal.ts';

export { endWithReader } from './closed-pipe.ts';

/** Exit codes of docs/architecture.md section 7.1. */
const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Why a command did not do what it was asked for. */
interface Failure {
  readonly code: string;
  /** A sentence for people. */
  readonly message: string;
  readonly exit: number;
}

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
  beginDocument();
  const locks = new OutputLocks();
  try {
    if (asksForAdapters(argv)) await tellAdapters(argv);
    else
      await createProgram(controller.signal)
        .hook('preAction', (_, command) => locks.take(command))
        .parseAsync(argv, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    const failure = failureOf(error, controller.signal);
    if (!(error instanceof CommanderError)) process.stderr.write(sentence(failure));
    if (argv.includes('--json') && failure.exit !== EXIT.interrupted) failureDocument(failure);
    return failure.exit;
  } finally {
    await locks.release();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

function failureOf(error: unknown, signal: AbortSignal): Failure {
  if (signal.aborted || error instanceof CancelledError)
    return { code: 'cancelled', message: interruption(error), exit: EXIT.interrupted };
  // Commander has told people already.
  if (error instanceof CommanderError)
    return { code: 'usage', message: error.message.replace(/^error: /, ''), exit: EXIT.usage };
  if (error instanceof EspalierError)
    return { code: error.code, message: error.message, exit: error instanceof UsageError ? EXIT.usage : EXIT.failed };
  if (isSystemError(error))
    return {
      code: 'system',
      message: `the system refused: ${error.message}. Check that path, its permissions and the free space.`,
      exit: EXIT.failed,
    };
  const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'unexpected', message: `unexpected failure: ${told}`, exit: EXIT.failed };
}

function sentence({ exit, message }: Failure): string {
  if (exit === EXIT.interrupted) return `${message}\n`;
  return `${styled('espalier:', 'red', isColourful(process.stderr, process.env))} ${message}\n`;
}

/** A refusal by the operating system: no permission, no space, too many files. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}
