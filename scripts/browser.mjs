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

/** @returns {{ what: string, command: string[], timeout: number }[]} */
function installers() {
  const minutes = 60_000;
  const withRights = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const packages = existsSync('/usr/bin/apt-get')
    ? [
        { what: 'apt-get update', command: [...withRights, 'apt-get', 'update', '-qq'], timeout: 3 * minutes },
        {
          what: 'apt-get install chromium',
          command: [...withRights, 'apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'chromium'],
          timeout: 6 * minutes,
        },
      ]
    : [];
  return [
    {
      what: "Playwright's own Chromium",
      command: [process.execPath, 'node_modules/playwright/cli.js', 'install', 'chromium'],
      timeout: 3 * minutes,
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
