import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replaceFolder } from './replace-folder.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUTPUT = join(ROOT, 'dist/studio');
const MARK = '.built-from';

/** Files and folders that the studio is made of, beside Vite's plugins in scripts. */
const SOURCES = [
  'src',
  'public',
  'index.html',
  'vite.config.ts',
  'package-lock.json',
  'scripts/licences.mjs',
  'scripts/licences',
];

/** The folder of the studio built from the current sources. `beforeBuild` is called first when it has to be built. */
export async function builtStudio(beforeBuild = () => {}) {
  const wanted = fingerprint();
  const mark = join(OUTPUT, MARK);
  if (!existsSync(mark) || readFileSync(mark, 'utf8') !== wanted) {
    beforeBuild();
    const { build } = await import('vite');
    await replaceFolder(OUTPUT, async (outDir) => {
      const configFile = join(ROOT, 'vite.config.ts');
      await build({ root: ROOT, configFile, logLevel: 'error', build: { outDir, emptyOutDir: true } });
      writeFileSync(join(outDir, MARK), wanted);
    });
  }
  return OUTPUT;
}

function fingerprint() {
  const hash = createHash('sha256');
  for (const file of studioSources()) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${relative(ROOT, file)} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}

/** Paths of all files that go into the studio. */
export function studioSources() {
  const plugins = readdirSync(join(ROOT, 'scripts')).filter(
    (name) => name.startsWith('vite-') && !name.includes('.test.'),
  );
  return [...SOURCES, ...plugins.map((name) => `scripts/${name}`)].map((name) => join(ROOT, name)).flatMap(filesIn);
}

/**
 * @param {string} path
 * @returns {string[]}
 */
function filesIn(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => (name.includes('.test.') ? [] : filesIn(join(path, name))));
}
