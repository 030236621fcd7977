import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../bin/espalier.js', import.meta.url));

it('ends without a word when nobody reads its output any more', async () => {
  const args = ['generate', 'stories', '--prompt', 'Once upon a time', '--max-new-tokens', '400', '--quiet'];
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // What "head -c 20" does.
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
});
