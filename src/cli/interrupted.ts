import { CancelledError } from '../errors.ts';

/** A command was interrupted and left something; the sentence says what. */
class InterruptedError extends CancelledError {}

/** What an interrupted command ends with where its unfinished work is kept: `kept` says where and how much, "FILE keeps 3 finished layers". */
export function interruptedKeeping(kept: string): CancelledError {
  return new InterruptedError(`Interrupted; ${kept}. The same command goes on from there.`);
}

/** The sentence that an interrupted command ends with. */
export function interruption(error: unknown): string {
  return error instanceof InterruptedError ? error.message : 'Interrupted; nothing was written.';
}
