import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { programsOf } from './programs.mjs';

/** e2e/tutorial.spec.ts runs the files; they are what the document shows. */
test.each([
  ['html', 'tutorial.html'],
  ['js', 'tutorial.js'],
])('docs/tutorial.md shows the %s that is run', (language, file) => {
  const [program] = programsOf('docs/tutorial.md', [language]);
  expect(`${program?.text}\n`).toBe(readFileSync(new URL(`../../e2e/pages/${file}`, import.meta.url), 'utf8'));
});
