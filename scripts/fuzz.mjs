import { fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { buildLibrary } from './build-library.mjs';

/**
 * Tries damaged files of every kind that comes from strangers: each must be read, or refused with a sentence, soon. A case that fails is told with its
 * number, and `--only N` tries it alone.
 *
 *   node scripts/fuzz.mjs [--seed 0] [--count 100000] [--from 0] [--only N] [KIND ...]
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BUILT = join(ROOT, 'node_modules/.cache/fuzz');
const FOLDERS = [join(ROOT, 'src/checkpoint/fixtures'), join(ROOT, 'src/architecture/fixtures')];
/** Without an answer for so long a case hangs. */
const PATIENCE_MS = 120_000;
const DIED = 'the process died, as when memory runs out';

/** @typedef {{ name: string, seed: number, from: number, end: number }} Task */
/** @typedef {{ index: number, outcome?: string }} Report */

if (process.send === undefined) await main();
else process.once('message', (task) => void work(/** @type {Task & { everyCase: boolean }} */ (task)));

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: '0' },
      count: { type: 'string', default: '100000' },
      from: { type: 'string', default: '0' },
      only: { type: 'string' },
    },
  });
  const seed = Number(values.seed);
  const from = Number(values.only ?? values.from);
  const end = values.only === undefined ? from + Number(values.count) : from + 1;
  await buildLibrary(BUILT, { entries: { hostile: 'src/checkpoint/testing/hostile.ts' } });
  const { hostileFormats } = await import(pathToFileURL(join(BUILT, 'hostile.js')).href);
  /** @type {string[]} */
  const known = (await hostileFormats(...FOLDERS)).map((/** @type {{ name: string }} */ { name }) => name);
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`There is no kind ${unknown.join(', ')}; there are ${known.join(', ')}.`);
  for (const name of positionals.length > 0 ? positionals : known) await runKind({ name, seed, from, end });
}

/**
 * One kind in a process of its own, which is given up when a case hangs.
 * @param {Task} task
 */
async function runKind(task) {
  const started = performance.now();
  let next = task.from;
  let everyCase = false;
  while (next < task.end) {
    const { index, outcome } = await runUntilEnd({ ...task, from: next, everyCase });
    if (outcome === DIED && !everyCase) {
      // Which case it was is known only when each is told before it is tried.
      everyCase = true;
      next = index;
      continue;
    }
    everyCase = false;
    if (outcome !== 'done') {
      process.exitCode = 1;
      console.log(`FAILED ${task.name} ${index}: ${outcome}`);
    }
    next = index + 1;
  }
  const seconds = (performance.now() - started) / 1000;
  console.log(`${task.name}: ${task.end - task.from} files, ${seconds.toFixed(0)} s`);
}

/**
 * Resolves at the end, or at the first case that fails.
 * @param {Task & { everyCase: boolean }} task
 * @returns {Promise<{ index: number, outcome: string }>}
 */
function runUntilEnd(task) {
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(import.meta.url));
    let index = task.from;
    let told = performance.now();
    const end = (/** @type {string} */ outcome) => {
      clearInterval(watch);
      child.kill('SIGKILL');
      resolve({ index, outcome });
    };
    const watch = setInterval(() => {
      if (performance.now() - told > PATIENCE_MS) end('it hangs');
    }, 1000);
    child.on('message', (received) => {
      const message = /** @type {Report} */ (received);
      told = performance.now();
      index = message.index;
      if (message.outcome) end(message.outcome);
    });
    child.on('exit', () => end(DIED));
    child.send(task);
  });
}

/** @param {Task & { everyCase: boolean }} task */
async function work({ name, seed, from, end, everyCase }) {
  const { caseIntegers, hostileFormats, survives } = await import(pathToFileURL(join(BUILT, 'hostile.js')).href);
  const { attempt } = (await hostileFormats(...FOLDERS)).find(
    (/** @type {{ name: string }} */ format) => format.name === name,
  );
  let told = performance.now();
  for (let index = from; index < end; index += 1) {
    if (everyCase) await tell({ index });
    try {
      await survives(`${name} ${index}`, () => attempt(caseIntegers(seed, index), index));
    } catch (error) {
      await tell({ index, outcome: reasonOf(error) });
      return;
    }
    if (performance.now() - told > 500) {
      told = performance.now();
      await tell({ index });
    }
  }
  await tell({ index: end - 1, outcome: 'done' });
}

/** @param {unknown} error */
function reasonOf(error) {
  if (!(error instanceof Error)) return String(error);
  return `${error.message} ${error.cause instanceof Error ? error.cause.stack : ''}`;
}

/**
 * Resolves when the parent has it.
 * @param {Report} message
 */
function tell(message) {
  return new Promise((resolve) => process.send?.(message, resolve));
}
