import { createHash } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = join(ROOT, 'src');
const DISTRIBUTION = join(ROOT, 'dist');
const CACHE = join(ROOT, 'node_modules/.cache/espalier');
const DAY = 24 * 60 * 60 * 1000;

/** What is built, by its path without extension under the output folder. @type {Record<string, string>} */
const ENTRIES = {
  index: 'src/index.ts',
  'runtime/node': 'src/runtime/node.ts',
  web: 'src/web.ts',
  'cli/main': 'src/cli/main.ts',
};

/** Folders of src that only the studio uses. */
const BROWSER_ONLY = ['studio', 'worker'];

/**
 * Builds the library and the command line, or other `entries`, into `folder`, for Node 20.19 and later. Packages stay outside and are resolved from node_modules.
 * @param {string} folder
 */
export async function buildLibrary(folder, entries = ENTRIES) {
  const [{ build }, { oxcRuntimePlugin }] = await Promise.all([import('rolldown'), import('rolldown/experimental')]);
  await build({
    cwd: ROOT,
    input: entries,
    platform: 'node',
    // All packages; but not our own files, nor the helpers for `using`, which Node 20 does not know.
    external: (id) => !/^[./\0]|^@oxc-project\/runtime/.test(id),
    transform: { target: 'node20.19' },
    plugins: [oxcRuntimePlugin()],
    output: {
      dir: folder,
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: 'chunks/[name]-[hash].js',
      cleanDir: folder !== DISTRIBUTION,
    },
    logLevel: 'warn',
  });
}

/**
 * The built module `entry` of the current sources: built when they have changed since the last time, otherwise taken from the cache.
 * Several processes may ask at once: each build appears under its final name only when it is whole.
 * @param {string} entry
 */
export async function importBuilt(entry) {
  const folder = join(CACHE, fingerprint());
  if (!existsSync(folder)) {
    const unfinished = `${folder}.${process.pid}`;
    await buildLibrary(unfinished);
    // Another process may have finished the same build first; then its result is as good.
    await rename(unfinished, folder).catch(() => rm(unfinished, { recursive: true, force: true }));
    removeOldBuilds();
  }
  return import(pathToFileURL(join(folder, `${entry}.js`)).href);
}

/** Changes whenever a file that goes into the build does. */
function fingerprint() {
  const hash = createHash('sha256');
  for (const file of [...sourceFiles(SOURCES), fileURLToPath(import.meta.url)]) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${relative(ROOT, file)} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

/**
 * Files that go into the build, tests left out.
 * @param {string} folder
 * @returns {string[]}
 */
function sourceFiles(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory())
      return folder === SOURCES && BROWSER_ONLY.includes(entry.name) ? [] : sourceFiles(join(folder, entry.name));
    return entry.name.includes('.test.') ? [] : [join(folder, entry.name)];
  });
}

function removeOldBuilds() {
  for (const name of readdirSync(CACHE)) {
    const path = join(CACHE, name);
    if (Date.now() - statSync(path).mtimeMs > DAY) rmSync(path, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildLibrary(DISTRIBUTION);
