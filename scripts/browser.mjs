import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright';

/** Where distributions put Chromium or Chrome. */
const SYSTEM_BROWSERS = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
];

/** Switches that give WebGPU even without a graphics card (then on SwiftShader), and let the browser run as root in a container. */
export const CHROMIUM_ARGUMENTS = ['--no-sandbox', '--enable-unsafe-webgpu'];

/** Path of a Chromium that tests can use: CHROMIUM_PATH, Playwright's own, or the system's; undefined when there is none. */
export function findBrowser() {
  const candidates = [process.env.CHROMIUM_PATH, chromium.executablePath(), ...SYSTEM_BROWSERS];
  return candidates.find((path) => path && existsSync(path));
}

/**
 * Path of a Chromium that starts, installed if need be: Playwright's own where its downloads can be reached, otherwise the distribution's package.
 * Throws a sentence that says what to do when neither works.
 */
export async function ensureBrowser() {
  const present = await startingBrowser();
  if (present) return present;
  for (const { what, command, timeout } of installers()) {
    process.stderr.write(`No browser for the tests yet; trying ${what}.\n`);
    const [program = '', ...words] = command;
    spawnSync(program, words, {
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    const installed = await startingBrowser();
    if (installed) return installed;
  }
  throw new Error(
    'The browser tests need Chromium and it could not be installed. Install it (on Debian: apt-get install chromium), or set CHROMIUM_PATH to one.',
  );
}

/** Path of a Firefox that tests can use: FIREFOX_PATH, or the system's; undefined when there is none. */
export function findFirefox() {
  const candidates = [process.env.FIREFOX_PATH, '/usr/bin/firefox-esr', '/usr/bin/firefox'];
  return candidates.find((path) => path && existsSync(path));
}

/** Installs Debian's Firefox (a quarter of a minute) where there is none and that is possible; without it its tests are skipped, and say so. */
export function offerFirefox() {
  if (findFirefox() || !existsSync('/usr/bin/apt-get')) return;
  process.stderr.write('No Firefox for the tests yet; trying apt-get install firefox-esr.\n');
  const [program = '', ...words] = [
    ...withRights(),
    'apt-get',
    'install',
    '-y',
    '-qq',
    '--no-install-recommends',
    'firefox-esr',
  ];
  spawnSync(program, words, {
    stdio: 'ignore',
    timeout: MINUTE,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

const MINUTE = 60_000;

function withRights() {
  return process.getuid?.() === 0 ? [] : ['sudo', '-n'];
}

/** @returns {{ what: string, command: string[], timeout: number }[]} */
function installers() {
  const packages = existsSync('/usr/bin/apt-get')
    ? [
        { what: 'apt-get update', command: [...withRights(), 'apt-get', 'update', '-qq'], timeout: 3 * MINUTE },
        {
          what: 'apt-get install chromium',
          command: [...withRights(), 'apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'chromium'],
          timeout: 6 * MINUTE,
        },
      ]
    : [];
  return [
    {
      what: "Playwright's own Chromium",
      command: [process.execPath, 'node_modules/playwright/cli.js', 'install', 'chromium'],
      timeout: 3 * MINUTE,
    },
    ...packages,
  ];
}

/** The path of a browser that was found and starts. */
async function startingBrowser() {
  const executablePath = findBrowser();
  if (!executablePath) return undefined;
  try {
    const browser = await chromium.launch({ executablePath, args: CHROMIUM_ARGUMENTS });
    await browser.close();
    return executablePath;
  } catch (error) {
    process.stderr.write(`${executablePath} does not start: ${String(error).split('\n')[0]}\n`);
    return undefined;
  }
}
