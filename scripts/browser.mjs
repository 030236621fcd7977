import { existsSync } from 'node:fs';
import { chromium } from 'playwright';

/** Where distributions put Chromium or Chrome. */
const SYSTEM_BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'];

/** Switches that give WebGPU even without a graphics card (then on SwiftShader), and let the browser run as root in a container. */
export const CHROMIUM_ARGUMENTS = ['--no-sandbox', '--enable-unsafe-webgpu'];

/** Path of a Chromium that tests can use: CHROMIUM_PATH, Playwright's own, or the system's; undefined when there is none. */
export function findBrowser() {
  const candidates = [process.env.CHROMIUM_PATH, chromium.executablePath(), ...SYSTEM_BROWSERS];
  return candidates.find((path) => path && existsSync(path));
}
