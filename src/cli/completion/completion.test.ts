import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProgram } from '../program.ts';
import { runInside } from '../testing/run.ts';
import { completionTable } from './table.ts';

const run = promisify(execFile);
const table = completionTable(createProgram(new AbortController().signal));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-completion-'));
  await writeFile(join(folder, 'scores.safetensors'), '');
  const { stdout } = await runInside(['completion', 'bash']);
  await writeFile(join(folder, 'espalier.bash'), stdout);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What bash offers for the last of the words. */
async function offered(...words: string[]): Promise<string[]> {
  const script = `. ./espalier.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _espalier; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run('bash', ['-c', script, 'bash', 'espalier', ...words], { cwd: folder });
  return stdout.split('\n').filter((line) => line !== '');
}

describe('completion', () => {
  it('offers commands, options and values in bash', async () => {
    expect(await offered('')).toEqual(expect.arrayContaining(table.map(({ name }) => name)));
    expect(await offered('pr')).toEqual(['prune']);
    expect(await offered('prune', 'stories', '--rat')).toEqual(['--ratio']);
    expect(await offered('prune', 'stories', '--dtype', 'q')).toEqual(['q8', 'q4']);
    expect(await offered('prune', 'stories', '--method', 'saap')).toEqual([
      'saap',
      'saap-wanda',
      'saap-kronecker',
      'saap-measured',
      'saap-passes',
      'saap-surgeon',
    ]);
    expect(await offered('generate', 'st')).toEqual(['stories']);
    expect(await offered('plan', 'sc')).toEqual(['scores.safetensors']);
    expect(await offered('completion', 'f')).toEqual(['fish']);
    expect(await offered('generate', 'stories', '--prompt', 'x')).toEqual([]);
  });

  it.each(['bash', 'zsh', 'fish'])('knows every option of every command in %s', async (shell) => {
    const { code, stdout } = await runInside(['completion', shell]);
    expect(code).toBe(0);
    expect(table.length).toBeGreaterThan(10);
    for (const { name, options } of table) {
      expect(stdout).toContain(name);
      for (const { flags } of options)
        for (const flag of flags) {
          const written = shell === 'fish' ? flag.replace(/^--/, '-l ').replace(/^-(?=\w$)/, '-s ') : flag;
          expect(stdout, `${name} ${flag}`).toContain(written);
        }
    }
  });

  it('refuses a shell that it does not know', async () => {
    const { code, stderr } = await runInside(['completion', 'tcsh']);
    expect(code).toBe(2);
    expect(stderr).toContain('There is no completion for "tcsh"; choose bash, zsh, fish.');
  });
});
