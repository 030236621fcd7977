import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';
import { main } from '../main.ts';

const PROGRAM = fileURLToPath(new URL('../../../bin/espalier.js', import.meta.url));

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Watch {
  /** Told all that the process has written, whenever there is more; `interrupt` presses Ctrl-C, once. */
  readonly onOutput?: (written: { readonly stdout: string; readonly stderr: string }, interrupt: () => void) => void;
}

/** Runs `node bin/espalier.js` as a process of its own. */
export function espalier(args: readonly string[], { onOutput }: Watch = {}): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const written = { stdout: '', stderr: '' };
    let interrupted = false;
    const interrupt = () => {
      if (!interrupted) child.kill('SIGINT');
      interrupted = true;
    };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        written[name] += text;
        onOutput?.(written, interrupt);
      });
    }
    child.on('error', reject).on('close', (code) => resolve({ code, ...written }));
  });
}

/** Runs a command that must succeed, in this process or by `run`, and returns its one JSON document. */
export async function resultOf(
  args: readonly string[],
  run: (args: readonly string[]) => Promise<Run> = runInside,
): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run([...args, '--json']);
  expect(code, stderr).toBe(0);
  return oneDocument(stdout);
}

/** Standard output that is one line with one JSON document and nothing else. */
export function oneDocument(stdout: string): Record<string, unknown> {
  expect(stdout.endsWith('\n')).toBe(true);
  expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** Runs a command in this process: quicker, and `onError` can act in the middle of it, e.g. by `process.emit('SIGINT')`. */
export async function runInside(
  args: readonly string[],
  onError: (line: string) => void = () => undefined,
): Promise<Run> {
  const written = { stdout: '', stderr: '' };
  const capture = (name: 'stdout' | 'stderr') =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += String(text);
      if (name === 'stderr') onError(String(text));
      return true;
    });
  const spies = [capture('stdout'), capture('stderr')];
  try {
    return { code: await main(args), ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
