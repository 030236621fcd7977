import { DeviceError } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { barLine, plainLine, shareOf } from './progress-line.ts';
import { isColourful, isTerminal } from './terminal.ts';

/** Where a command writes: results on standard output, everything else on standard error. */
export interface Console {
  readonly json: boolean;
  /** Prints the one JSON document of `--json`, or the lines for people. */
  result(document: unknown, lines: () => readonly string[]): void;
  /** Streams text of a result for people; nothing under `--json`. */
  stream(text: string): void;
  note(message: string): void;
  readonly onProgress: (progress: Progress) => void;
}

const REFRESH_MILLISECONDS = 100;

/** Whether this command's JSON document is out: there is exactly one, a result or an error. */
let hasDocument = false;

/** A command begins: nothing is printed yet. */
export function beginDocument(): void {
  hasDocument = false;
}

/** Prints a failure as the JSON document of `--json`, unless the result is out already. */
export function failureDocument(failure: { readonly code: string; readonly message: string }): void {
  if (!hasDocument) process.stdout.write(`${JSON.stringify({ error: failure })}\n`);
  hasDocument = true;
}

/** A console for this process: progress is a bar on a terminal and told in tenths elsewhere; `quiet` silences both and notes. */
export function createConsole({ json, quiet }: { readonly json: boolean; readonly quiet: boolean }): Console {
  const terminal = isTerminal(process.stderr, process.env);
  const colourful = isColourful(process.stderr, process.env);
  let drawn = 0;
  let stage = '';
  let tenth = -1;
  let started = 0;
  const clear = () => {
    if (terminal && drawn > 0) process.stderr.write('\r\u001b[K');
    drawn = 0;
  };
  return {
    json,
    result(document, lines) {
      clear();
      process.stdout.write(json ? `${finiteJson(document)}\n` : `${lines().join('\n')}\n`);
      hasDocument = true;
    },
    stream(text) {
      clear();
      if (!json) process.stdout.write(text);
    },
    note(message) {
      clear();
      if (!quiet) process.stderr.write(`${message}\n`);
    },
    onProgress(progress) {
      if (quiet) return;
      const now = performance.now();
      if (progress.stage !== stage) {
        stage = progress.stage;
        tenth = -1;
        started = now;
      }
      const share = shareOf(progress);
      if (!terminal) {
        if (Math.floor(share * 10) <= tenth) return;
        tenth = Math.floor(share * 10);
        process.stderr.write(`${plainLine(progress, now - started)}\n`);
      } else if (share === 1 || now - drawn > REFRESH_MILLISECONDS) {
        const line = barLine(progress, now - started, process.stderr.columns ?? 80, colourful);
        process.stderr.write(`\r\u001b[K${line}${share === 1 ? '\n' : ''}`);
        drawn = share === 1 ? 0 : now;
      }
    },
  };
}

/** JSON of a result, which would have null in place of a number that is none. Throws DeviceError naming it instead. */
export function finiteJson(document: unknown): string {
  return JSON.stringify(document, function (this: unknown, key: string, value: unknown) {
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new DeviceError(
        `The result "${key}" is ${value}, which is no number that can be told. Please report what was run.`,
      );
    return value;
  });
}
