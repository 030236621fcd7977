import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MissingError } from '../../errors.ts';

/** The folder of the espalier package that this code runs from, whether bundled into dist/ or not. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (packageName(join(folder, 'package.json')) === 'espalier') return folder;
    if (dirname(folder) === folder)
      throw new MissingError('The espalier package is not around this program; install it again.');
  }
}

function packageName(path: string): unknown {
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as { readonly name?: unknown }).name;
  } catch {
    return undefined;
  }
}
