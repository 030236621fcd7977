import { describe, expect, it } from 'vitest';
import { EXAMPLES } from './examples.ts';
import { createProgram } from './program.ts';
import { runInside } from './testing/run.ts';

/** The words of a command line: quotes are taken off, and what stands before or after the command itself is left out. */
function wordsOf(line: string): string[] {
  const [, command = ''] = /espalier (.*?)( > .*)?$/.exec(line) ?? [];
  return [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

const program = () => {
  const made = createProgram(new AbortController().signal);
  for (const command of made.commands) command.action(() => undefined);
  return made;
};

describe('examples', () => {
  it('are there for every command, and for no other', () => {
    const names = program().commands.map((command) => command.name());
    expect(Object.keys(EXAMPLES).sort()).toEqual(['espalier', ...names].sort());
  });

  it.each(
    Object.entries(EXAMPLES).flatMap(([name, examples]) =>
      examples.filter(({ line }) => !line.includes('--config')).map(({ line }) => ({ name, line })),
    ),
  )('of $name are command lines: $line', async ({ name, line }) => {
    const words = wordsOf(line);
    if (name !== 'espalier') expect(words[0]).toBe(name);
    await expect(program().parseAsync(words, { from: 'user' })).resolves.toBeDefined();
  });

  it.each(Object.keys(EXAMPLES))('stand in the help of %s', async (name) => {
    const { code, stdout } = await runInside(name === 'espalier' ? ['--help'] : [name, '--help']);
    expect(code).toBe(0);
    for (const { line } of EXAMPLES[name] ?? []) expect(stdout).toContain(`  ${line}\n`);
  });
});
