import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildLibrary, buildWebLibrary } from './build-library.mjs';
import { builtStudio } from './build-studio.mjs';
import { replaceFolder } from './replace-folder.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DISTRIBUTION = join(ROOT, 'dist');
const ONNX_RUNTIME = join(ROOT, 'node_modules/onnxruntime-web/dist');

/** Files of onnxruntime-web that the library loads, beside those that the studio has: its WebAssembly for Node, and its scripts. */
const SHIPPED = {
  ort: ['ort.wasm.bundle.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'],
  'studio/ort': ['ort.webgpu.bundle.min.mjs', 'ort.jspi.bundle.min.mjs'],
};

/**
 * Builds all that the package holds into dist: the studio, the library for Node and for browsers, and its types. Every part is made anew, so that nothing of
 * earlier builds is in it.
 */
export async function buildPackage() {
  await builtStudio();
  const part = (/** @type {string} */ name) => join(DISTRIBUTION, name);
  await replaceFolder(part('library'), (folder) => buildLibrary(folder, { published: true }));
  await replaceFolder(part('web'), buildWebLibrary);
  await replaceFolder(part('types'), async (folder) => declareTypes(folder));
  await replaceFolder(part('ort'), async (folder) => {
    mkdirSync(folder);
    copy(SHIPPED.ort, folder);
  });
  copy(SHIPPED['studio/ort'], part('studio/ort'));
  const parts = ['library', 'ort', 'studio', 'types', 'web'];
  for (const name of readdirSync(DISTRIBUTION))
    if (!parts.includes(name)) rmSync(part(name), { recursive: true, force: true });
}

/**
 * @param {readonly string[]} files
 * @param {string} folder
 */
function copy(files, folder) {
  for (const file of files) copyFileSync(join(ONNX_RUNTIME, file), join(folder, file));
}

/** @param {string} folder */
function declareTypes(folder) {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.library.json', '--outDir', folder], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('The types of the library could not be made.');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPackage();
