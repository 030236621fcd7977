import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { VERSION } from '../../src/library/version.ts';
import { exampleFolder, programsOf, runPrograms } from './programs.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** The words of a command of Espalier in a line of a shell; undefined for other lines. @param {string} line */
function wordsOf(line) {
  const [, command] = /node bin\/espalier\.js (.*)$/.exec(line) ?? [];
  return command && [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

const blocks = programsOf('README.md', ['sh']);
const commands = blocks.flatMap(({ heading, text }) =>
  text.split('\n').flatMap((line) => {
    const words = wordsOf(line);
    return words ? [{ heading, line, words }] : [];
  }),
);

describe('the documents', () => {
  const documents = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));

  test.each(documents)('docs/%s links to what is there', (name) => {
    const links = [...readFileSync(join(ROOT, 'docs', name), 'utf8').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)];
    const inside = links.map(([, link = '']) => link).filter((link) => !/^[a-z]+:/.test(link));
    expect(inside.filter((link) => !existsSync(join(ROOT, 'docs', link)))).toEqual([]);
  });

  test('docs/deploy.md builds an image of this version, and runs a command that there is', async () => {
    const page = readFileSync(join(ROOT, 'docs/deploy.md'), 'utf8');
    const versions = [...page.matchAll(/espalier[@:](\d+\.\d+\.\d+)/g)].map(([, version]) => version);
    expect(new Set(versions)).toEqual(new Set([VERSION]));
    const [, words = ''] = /docker run .* espalier:\S+ (.*)/.exec(page) ?? [];
    const program = createProgram(new AbortController().signal);
    for (const command of program.commands) command.action(() => undefined);
    await expect(program.parseAsync(words.split(' '), { from: 'user' })).resolves.toBeDefined();
  });
});

describe('the README', () => {
  /** @type {Awaited<ReturnType<typeof exampleFolder>>} */
  let example;
  beforeAll(async () => {
    example = await exampleFolder();
    for (const name of ['bin', 'public']) symlinkSync(join(ROOT, name), join(example.folder, name));
  });
  afterAll(() => example.remove());

  test('has lines of at most 120 columns, and links to what is there', () => {
    expect(README.split('\n').filter((line) => line.length > 120)).toEqual([]);
    const links = [...README.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, link = '']) => link);
    expect(links.length).toBeGreaterThan(20);
    expect(links.filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(ROOT, link)))).toEqual([]);
  });

  test.each(commands)('has commands that there are: $line', async ({ words }) => {
    const program = createProgram(new AbortController().signal);
    for (const command of program.commands) command.action(() => undefined);
    await expect(program.parseAsync(words, { from: 'user' })).resolves.toBeDefined();
  });

  test('names no file that is neither there nor made by a command before', () => {
    const made = new Set(['stories']);
    for (const { words } of commands) {
      const files = words.filter((word) => /\//.test(word) && !word.includes('your-name'));
      expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
      const given = words
        .slice(1)
        .filter((word, index, all) => /^(scores|plan)\./.test(word) && all[index - 1] !== '--output');
      expect([...given, ...words.slice(1, 2)].filter((name) => !made.has(name))).toEqual([]);
      const output = words.indexOf('--output');
      if (output >= 0) made.add(words[output + 1] ?? '');
    }
  });

  test('shows a model in two minutes', () => {
    const quick = commands.filter(({ heading }) => heading === 'In two minutes');
    expect(quick.length).toBeGreaterThan(3);
    for (const { words, line } of quick) {
      const run = spawnSync(process.execPath, ['bin/espalier.js', ...words], { cwd: example.folder, encoding: 'utf8' });
      expect(run.status, `${line}: ${run.stderr}`).toBe(0);
      expect(run.stdout.length).toBeGreaterThan(50);
    }
  }, 240_000);

  test('has a program for the library', async () => {
    const programs = programsOf('README.md', ['js']);
    expect(programs).toHaveLength(1);
    const { code, printed, stderr } = await runPrograms(example.folder, programs);
    expect(code, stderr).toBe(0);
    expect(printed[0]?.length).toBeGreaterThan(20);
  }, 240_000);
});
