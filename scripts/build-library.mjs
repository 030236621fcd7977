import { createHash } from 'node:crypto';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = join(ROOT, 'src');
const CACHE = join(ROOT, 'node_modules/.cache/espalier');
const DAY = 24 * 60 * 60 * 1000;

/** What is built for Node, by its path without extension under the output folder. @type {Record<string, string>} */
const NODE_ENTRIES = {
  index: 'src/index.ts',
  'runtime/node': 'src/runtime/node.ts',
  'cli/main': 'src/cli/main.ts',
};

/** What is built for browsers and their bundlers. @type {Record<string, string>} */
const WEB_ENTRIES = { web: 'src/web.ts' };

/** Packages of which only some bundlers find the part for browsers, with what they need: they are taken in. */
const TAKEN_IN = /^(@huggingface\/(blake3-jit|hub|tasks|xetchunk-wasm)|gearhash-jit)$/;

/** Stands in a build for the folder that the output folder is in. */
const BESIDE = 'espalier-beside:';

/** Folders of src that only the studio uses. */
const BROWSER_ONLY = ['studio', 'worker'];

/**
 * Builds of onnxruntime-web that the package carries, where they lie from its folders. A page never asks for the one without a GPU, so that bundlers need not copy it.
 * @type {Record<'node' | 'web', Record<string, string>>}
 */
const SHIPPED = {
  node: {
    'onnxruntime-web/wasm': 'ort/ort.wasm.bundle.min.mjs',
    'onnxruntime-web/webgpu': 'studio/ort/ort.webgpu.bundle.min.mjs',
    'onnxruntime-web/jspi': 'studio/ort/ort.jspi.bundle.min.mjs',
  },
  web: {
    'onnxruntime-web/wasm': 'studio/ort/ort.webgpu.bundle.min.mjs',
    'onnxruntime-web/webgpu': 'studio/ort/ort.webgpu.bundle.min.mjs',
    'onnxruntime-web/jspi': 'studio/ort/ort.jspi.bundle.min.mjs',
  },
};

/**
 * Builds the library and the command line, or other `entries`, into `folder`, for Node 20.19 and later. Packages stay outside and are resolved from node_modules;
 * in a package that is `published`, onnxruntime-web is what lies beside `folder`.
 * @param {string} folder
 */
export async function buildLibrary(folder, { entries = NODE_ENTRIES, published = false } = {}) {
  await bundle(folder, entries, {
    platform: 'node',
    transform: { target: 'node20.19' },
    shipped: published ? SHIPPED.node : {},
  });
}

/**
 * Builds the entries for browsers into `folder`: one for all bundlers, with no module of Node and no other file that a bundler would have to find than those of
 * onnxruntime-web.
 * @param {string} folder
 */
export async function buildWebLibrary(folder) {
  // What Vite would replace in a site's own code is nothing in a library.
  const transform = { target: 'es2023', define: { 'import.meta.env': 'undefined' } };
  await bundle(folder, WEB_ENTRIES, {
    platform: 'browser',
    transform,
    shipped: SHIPPED.web,
    takenIn: TAKEN_IN,
    plugins: [inlineHelper()],
  });
}

/**
 * @param {string} folder
 * @param {Record<string, string>} input
 * @param {{ platform: 'node' | 'browser', transform: NonNullable<import('rolldown').InputOptions['transform']>, shipped: Record<string, string>, takenIn?: RegExp, plugins?: import('rolldown').Plugin[] }} how
 */
async function bundle(folder, input, { platform, transform, shipped, takenIn, plugins = [] }) {
  const [{ build }, { oxcRuntimePlugin }] = await Promise.all([import('rolldown'), import('rolldown/experimental')]);
  /** @type {import('rolldown').Plugin} */
  const beside = {
    name: 'espalier:shipped',
    resolveId: (id) => (shipped[id] ? { id: `${BESIDE}${shipped[id]}`, external: true } : undefined),
    renderChunk: (code, { fileName }) => code.replaceAll(BESIDE, '../'.repeat(fileName.split('/').length)),
  };
  await build({
    cwd: ROOT,
    input,
    platform,
    // All packages; but not our own files, nor the helpers for `using`, which Node 20 does not know.
    external: (id) => !shipped[id] && !takenIn?.test(id) && !/^[./\0]|^@oxc-project\/runtime/.test(id),
    transform,
    plugins: [beside, ...plugins, oxcRuntimePlugin()],
    output: {
      dir: folder,
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: 'chunks/[name]-[hash].js',
      cleanDir: true,
    },
    logLevel: 'warn',
  });
}

/**
 * In a library, threads that help are started from their text: no bundler has to find a file for them.
 * @returns {import('rolldown').Plugin}
 */
function inlineHelper() {
  const [file, inline] = ['web-helper.ts', 'inline-helper.ts'].map((name) => join(SOURCES, 'runtime/kernels', name));
  return {
    name: 'espalier:inline-helper',
    async resolveId(id, importer, options) {
      const found = id.endsWith('/web-helper.ts')
        ? await this.resolve(id, importer, { ...options, skipSelf: true })
        : null;
      return found?.id === file ? inline : undefined;
    },
  };
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
