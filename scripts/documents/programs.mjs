import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildLibrary } from '../build-library.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(ROOT, 'node_modules/.cache');

/**
 * A program of a document: the heading above it, its language, and its text.
 * @typedef {{ heading: string, language: string, text: string }} Program
 */

/**
 * The fenced blocks of a document in the languages that are asked for.
 * @param {string} document below docs/, or README.md
 * @param {readonly string[]} languages
 * @returns {Program[]}
 */
export function programsOf(document, languages) {
  const lines = readFileSync(join(ROOT, document), 'utf8').split('\n');
  /** @type {Program[]} */
  const programs = [];
  let heading = '';
  for (let line = 0; line < lines.length; line++) {
    const [, title] = /^#+ (.*)$/.exec(lines[line] ?? '') ?? [];
    if (title) heading = title;
    const [, language] = /^```(\w+)/.exec(lines[line] ?? '') ?? [];
    if (!language) continue;
    const end = lines.indexOf('```', line);
    if (languages.includes(language)) programs.push({ heading, language, text: lines.slice(line + 1, end).join('\n') });
    line = end;
  }
  return programs;
}

/** A folder in which programs find the library by its name, as it is built now, and `story.txt`. The caller removes it. */
export async function exampleFolder() {
  mkdirSync(CACHE, { recursive: true });
  // Inside the repository, so that the library's own packages are found.
  const folder = mkdtempSync(join(CACHE, 'examples-'));
  const installed = join(folder, 'node_modules/espalier');
  await buildLibrary(join(installed, 'library'));
  mkdirSync(join(installed, 'dist/studio/models'), { recursive: true });
  symlinkSync(join(ROOT, 'public/models/stories'), join(installed, 'dist/studio/models/stories'));
  writeFileSync(
    join(installed, 'package.json'),
    JSON.stringify({ name: 'espalier', type: 'module', exports: { '.': './library/index.js' } }),
  );
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  cpSync(join(ROOT, 'public/models/stories/evaluation.txt'), join(folder, 'story.txt'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/**
 * Runs programs one after the other in one process, each as a module of its own. Resolves with what each of them printed.
 * @param {string} folder
 * @param {readonly Program[]} programs
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {Promise<{ code: number | null, printed: string[], stderr: string }>}
 */
export function runPrograms(folder, programs, environment = {}) {
  const files = programs.map(({ text }, index) => {
    const file = join(folder, `program-${index + 1}.mjs`);
    writeFileSync(file, text);
    return pathToFileURL(file).href;
  });
  const runner = join(folder, 'run.mjs');
  writeFileSync(
    runner,
    `for (const file of ${JSON.stringify(files)}) { process.stdout.write('\\u0000'); await import(file); }\n`,
  );
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [runner], {
      cwd: folder,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child
      .on('error', reject)
      .on('close', (code) => resolve({ code, printed: stdout.split('\u0000').slice(1), stderr }));
  });
}
