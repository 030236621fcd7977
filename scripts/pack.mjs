import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageFaults } from './package-check.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Builds the package, packs it into `folder`, and checks what was packed. Returns the tarball's path with its size and that of its files, in bytes. Throws an
 * Error with all that is wrong.
 * @param {string} folder
 */
export function packPackage(folder) {
  mkdirSync(folder, { recursive: true });
  run(process.execPath, [join(ROOT, 'scripts/build.mjs')]);
  // It is built already: from the working directory of whoever asked, which npm would change.
  const [packed] = JSON.parse(run('npm', ['pack', ROOT, '--json', '--ignore-scripts', '--pack-destination', folder]));
  const path = join(folder, packed.filename);
  const unpacked = mkdtempSync(join(tmpdir(), 'espalier-packed-'));
  try {
    run('tar', ['-xzf', path, '-C', unpacked]);
    const faults = packageFaults(join(unpacked, 'package'));
    if (faults.length > 0) throw new Error(`The package may not be released:\n${faults.join('\n')}`);
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
  return { path, bytes: packed.size, unpackedBytes: packed.unpackedSize };
}

/**
 * @param {string} program
 * @param {readonly string[]} words
 */
function run(program, words) {
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', maxBuffer: 64 << 20 });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')} failed:\n${stdout}${stderr}`);
  return stdout;
}
