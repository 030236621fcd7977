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

/** Path of WebKitGTK's WebDriver server that tests can use: WEBKIT_DRIVER_PATH, or the system's; undefined when there is none, or no display for it. */
export function findWebKit() {
  const { WEBKIT_DRIVER_PATH, DISPLAY, WAYLAND_DISPLAY } = process.env;
  if (!DISPLAY && !WAYLAND_DISPLAY && !existsSync('/usr/bin/Xvfb')) return undefined;
  return [WEBKIT_DRIVER_PATH, '/usr/bin/WebKitWebDriver'].find((path) => path && existsSync(path));
}

/** Installs Debian's Firefox and WebKit (a quarter of a minute) where there are none and that is possible; without them their tests are skipped, and say so. */
export function offerOtherBrowsers() {
  if (!existsSync('/usr/bin/apt-get')) return;
  const wanted = [...(findFirefox() ? [] : ['firefox-esr']), ...(findWebKit() ? [] : ['webkit2gtk-driver', 'xvfb'])];
  if (wanted.length === 0) return;
  process.stderr.write(`Not all browsers for the tests yet; trying apt-get install ${wanted.join(' ')}.\n`);
  const install = () => packages(['install', '-y', '-qq', '--no-install-recommends', ...wanted]);
  // A fresh container has no list of packages.
  if (!install() && packages(['update', '-qq'])) install();
}

/** Whether apt-get did it. @param {string[]} words */
function packages(words) {
  const [program = '', ...rest] = [...withRights(), 'apt-get', ...words];
  const { status } = spawnSync(program, rest, {
    stdio: 'ignore',
    // Without them two tests are skipped; the others must not wait long for that.
    timeout: 1.5 * MINUTE,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  return status === 0;
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
