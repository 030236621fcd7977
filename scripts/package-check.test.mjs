import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packageFaults } from './package-check.mjs';

/** A package that may be released. */
const GOOD = {
  'package.json': JSON.stringify({
    dependencies: { known: '1.0.0' },
    exports: { '.': { types: './dist/types/index.d.ts', default: './dist/library/index.js' } },
  }),
  'README.md': 'See [the method](docs/method.md#one) and [the paper](https://example.org).',
  'docs/method.md': 'Back to [README](../README.md).',
  'dist/types/index.d.ts': '',
  'dist/studio/licences.txt': 'MIT',
  'dist/library/index.js':
    'import { a } from \'./chunks/a.js\';\nimport c from "known/part";\nimport d from "node:fs";\nexport const b = () => import(\'../ort/ort.mjs\');\n',
  'dist/library/chunks/a.js': 'export const a = 1;\n',
  'dist/ort/ort.mjs': '',
};

describe('a packed package', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'espalier-check-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** @param {Record<string, string | undefined>} files */
  function faults(files) {
    for (const [name, text] of Object.entries({ ...GOOD, ...files })) {
      if (text === undefined) continue;
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return packageFaults(folder);
  }

  it('has no faults when it is whole', () => expect(faults({})).toEqual([]));

  it.each([
    [
      'an entry that is not there',
      { 'dist/types/index.d.ts': undefined },
      ['package.json names ./dist/types/index.d.ts, which is not there.'],
    ],
    [
      'a dead link',
      { 'docs/method.md': undefined },
      ['README.md links to docs/method.md, which is not in the package.'],
    ],
    [
      'a missing chunk',
      { 'dist/library/chunks/a.js': undefined },
      ['dist/library/index.js imports dist/library/chunks/a.js, which is not in the package.'],
    ],
    [
      'a module that is loaded when needed',
      { 'dist/ort/ort.mjs': undefined },
      ['dist/library/index.js imports dist/ort/ort.mjs, which is not in the package.'],
    ],
    [
      'a chunk of an earlier build',
      { 'dist/library/chunks/old.js': '' },
      ['dist/library/chunks/old.js is imported by nothing: a remainder of an earlier build.'],
    ],
    ['no licences', { 'dist/studio/licences.txt': undefined }, ['There are no licences of what is bundled.']],
    [
      'a package that it does not name',
      { 'dist/library/chunks/a.js': 'import a from "unknown";' },
      ['dist/library/chunks/a.js imports unknown, which package.json does not name.'],
    ],
    ['a source map', { 'dist/library/index.js.map': '' }, ['dist/library/index.js.map has no use in a package.']],
  ])('is refused with %s', (_, files, sentences) => expect(faults(files)).toEqual(sentences));

  it('is refused without the licence of something, and when it is too large', () => {
    expect(
      faults({ 'dist/studio/licences.txt': 'The package has no licence text; put one into scripts/licences/.' }),
    ).toEqual([expect.stringContaining('no licence text')]);
    expect(faults({ 'dist/ort/large.wasm': 'x'.repeat(80_000_000) })).toContainEqual(
      expect.stringMatching(/^It takes \d+ bytes; at most 80000000/),
    );
  });
});
