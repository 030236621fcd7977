import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { builtStudio } from './build-studio.mjs';

/** What the page may load, in bytes as a server with gzip sends them: before it shows anything, and with all that its workers load: of ONNX Runtime's builds one, the largest. */
const LIMITS = { first: 250_000, all: 620_000 };

/**
 * Paths of the scripts and styles that a built page names in its head, and of all that were built.
 * @param {string} folder
 */
function filesOf(folder) {
  const page = readFileSync(join(folder, 'index.html'), 'utf8');
  const named = [...page.matchAll(/<(?:script|link)\b[^>]*?\b(?:src|href)="\.?\/?([^"]+\.(?:js|css))"/g)];
  return {
    first: [...new Set(named.map(([, path]) => path ?? ''))],
    all: readdirSync(join(folder, 'assets'))
      .filter((name) => /\.(js|css)$/.test(name))
      .map((name) => `assets/${name}`),
  };
}

const folder = await builtStudio();
const { first, all } = filesOf(folder);
const sizeOf = (/** @type {string[]} */ paths) =>
  paths.reduce((sum, path) => sum + gzipSync(readFileSync(join(folder, path))).length, 0);
const runtimes = all.filter((path) => /\/ort\.[^/]*$/.test(path));
const largest = Math.max(0, ...runtimes.map((path) => sizeOf([path])));
const sizes = { first: sizeOf(first), all: sizeOf(all) - sizeOf(runtimes) + largest };
console.log(`${sizes.first} of at most ${LIMITS.first} bytes before the page shows: ${first.join(', ')}`);
console.log(
  `${sizes.all} of at most ${LIMITS.all} bytes of scripts and styles with one of ${runtimes.length} builds of ONNX Runtime`,
);
const isMeasured = first.length > 0 && runtimes.length > 0;
if (!isMeasured) console.error('The page names no scripts, or ONNX Runtime was not found: its size was not measured.');
process.exitCode = !isMeasured || sizes.first > LIMITS.first || sizes.all > LIMITS.all ? 1 : 0;
