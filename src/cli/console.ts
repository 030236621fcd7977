import { DeviceError } from '../errors.ts';
import type { Progress } from '../progress.ts';

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

/** A console for this process: progress is drawn on a terminal and told in tenths elsewhere; `quiet` silences both and notes. */
export function createConsole({ json, quiet }: { readonly json: boolean; readonly quiet: boolean }): Console {
  const terminal = process.stderr.isTTY === true;
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
      const share = progress.total > 0 ? progress.completed / progress.total : 1;
      const left = share > 0.02 && share < 1 ? `, ${duration(((now - started) / share) * (1 - share))} left` : '';
      const line = `${progress.stage} ${progress.completed}/${progress.total} ${progress.unit} (${Math.floor(share * 100)}%${left})`;
      if (!terminal) {
        if (Math.floor(share * 10) <= tenth) return;
        tenth = Math.floor(share * 10);
        process.stderr.write(`${line}\n`);
      } else if (share === 1 || now - drawn > REFRESH_MILLISECONDS) {
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

function duration(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
