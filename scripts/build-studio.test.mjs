import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { studioSources } from './build-studio.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The files of the project that a module imports, and those that they import. */
function reached(file, found = new Set()) {
  if (found.has(file) || !existsSync(file)) return found;
  found.add(file);
  for (const [, specifier] of readFileSync(file, 'utf8').matchAll(/from '(\.[^']+)'/g))
    reached(resolve(dirname(file), specifier), found);
  return found;
}

it('builds the studio again when anything changes that it is made of', () => {
  const sources = studioSources().map((file) => relative(ROOT, file));
  const configuration = [...reached(join(ROOT, 'vite.config.ts'))].map((file) => relative(ROOT, file));
  expect(configuration.length).toBeGreaterThan(4);
  expect(sources).toEqual(expect.arrayContaining(configuration));
  expect(sources).toEqual(
    expect.arrayContaining(['index.html', 'package-lock.json', 'src/studio/service-worker.js', 'public/icon.svg']),
  );
  expect(sources.filter((file) => file.includes('.test.'))).toEqual([]);
});
