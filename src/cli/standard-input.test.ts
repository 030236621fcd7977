import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../bin/espalier.js', import.meta.url));
const text = readFileSync('public/models/stories/evaluation.txt', 'utf8').slice(0, 4000);
const options = ['--window', '16', '--max-tokens', '100', '--json', '--quiet'];

describe('text from standard input', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-stdin-'));
  writeFileSync(join(folder, 'text.txt'), text);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const evaluate = (file: string, input = '') => {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [PROGRAM, 'evaluate', 'stories', '--text', file, ...options],
      { input, encoding: 'utf8' },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return JSON.parse(stdout) as { readonly perplexity: number; readonly source: string };
  };

  it.each(['-', '/dev/stdin'])('is read where %s is given', (name) => {
    const { perplexity } = evaluate(join(folder, 'text.txt'));
    expect(evaluate(name, text)).toMatchObject({ perplexity, source: 'stdin.txt' });
  });

  it('may be JSON lines', () => {
    const { perplexity } = evaluate(join(folder, 'text.txt'));
    expect(evaluate('-', `${JSON.stringify({ text })}\n`)).toMatchObject({ perplexity, source: 'stdin.jsonl' });
  });
});
