import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensureBrowser, offerOtherBrowsers } from './browser.mjs';
import { ensureVulkan, testAdapter } from './vulkan.mjs';

/** Runs every check of the project one after the other and ends with one line that counts them all. */
const CACHE = 'node_modules/.cache/test';
const VITEST_REPORT = `${CACHE}/vitest.json`;
const PLAYWRIGHT_REPORT = `${CACHE}/playwright.json`;

const total = { passed: 0, failed: 0, skipped: 0 };

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
rmSync(CACHE, { recursive: true, force: true });
mkdirSync(CACHE, { recursive: true });

check('Types', ['node_modules/typescript/bin/tsc']);
check('Types by environment', [
  'node_modules/typescript/bin/tsc',
  '-b',
  ...['core', 'browser', 'node'].map((project) => `tsconfig.${project}.json`),
]);
check('Format and lint', ['node_modules/@biomejs/biome/bin/biome', 'check', '.']);
check('Import rules', ['scripts/import-rules.mjs']);
check('Unused code', ['node_modules/knip/bin/knip.js']);
check('Size of the studio', ['scripts/studio-size.mjs']);

const vulkan = ensureVulkan();
const adapter = vulkan && testAdapter(vulkan);
if (process.env.REQUIRE_F16 === '1' && !adapter?.halfPrecision) {
  console.error(
    `REQUIRE_F16=1, but the adapter of WebGPU in Node (${adapter?.name ?? 'none'}) does not compute in half precision.`,
  );
  total.failed++;
}

suite(
  'Unit tests',
  ['node_modules/vitest/vitest.mjs', 'run', '--reporter=dot', '--reporter=json', `--outputFile.json=${VITEST_REPORT}`],
  () => {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = report(VITEST_REPORT);
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests + numTodoTests };
  },
);

try {
  const browser = await ensureBrowser();
  offerOtherBrowsers();
  suite(
    'Browser tests',
    ['node_modules/playwright/cli.js', 'test'],
    () => {
      const { expected, unexpected, flaky, skipped } = report(PLAYWRIGHT_REPORT).stats;
      return { passed: expected, failed: unexpected + flaky, skipped };
    },
    { PLAYWRIGHT_JSON: PLAYWRIGHT_REPORT, CHROMIUM_PATH: browser },
  );
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  total.failed++;
}

console.log(
  adapter
    ? `\nWebGPU in Node was tested on ${adapter.name}, ${adapter.halfPrecision ? 'in half precision too' : 'without half precision'}.`
    : '\nWebGPU in Node was not tested: there is no adapter.',
);
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
process.exitCode = total.failed > 0 ? 1 : 0;

/**
 * A check that counts as one test.
 * @param {string} title
 * @param {string[]} command
 */
function check(title, command) {
  suite(title, command, () => ({ passed: 0, failed: 0, skipped: 0 }), {}, 1);
}

/**
 * Runs Node on `command` and adds what `count` reads from its report; a failure that the report does not show counts as one.
 * @param {string} title
 * @param {string[]} command
 * @param {() => { passed: number, failed: number, skipped: number }} count
 * @param {Record<string, string>} [environment]
 */
function suite(title, command, count, environment = {}, passes = 0) {
  console.log(`\n# ${title}`);
  const { status } = spawnSync(process.execPath, command, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...environment },
  });
  let counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    counts = count();
  } catch (error) {
    console.error(`${title}: no report was written (${error}).`);
    counts.failed = 1;
  }
  total.passed += counts.passed + (status === 0 ? passes : 0);
  total.failed += status !== 0 && counts.failed === 0 ? 1 : counts.failed;
  total.skipped += counts.skipped;
}

/** @param {string} path */
function report(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}
