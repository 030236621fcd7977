import { createServer } from 'node:net';
import { defineConfig } from '@playwright/test';
import { CHROMIUM_ARGUMENTS, findBrowser } from './scripts/browser.mjs';

/** A free port, chosen once: Playwright's workers read this file again and inherit the environment. */
process.env.E2E_PORT ??= String(await freePort());
const PORT = Number(process.env.E2E_PORT);
/** A server that already runs, such as `npm run dev`'s, instead of a fresh build. */
const url = process.env.E2E_URL;
const executablePath = findBrowser();

/** Browser tests run against what people get: the built studio with its security headers, and the test pages built beside it. */
export default defineConfig({
  testDir: 'e2e',
  testMatch: '**/*.spec.ts',
  outputDir: 'node_modules/.cache/playwright',
  timeout: 300_000,
  // A machine that does other things is slow, not wrong.
  expect: { timeout: 60_000 },
  workers: 1,
  retries: 0,
  forbidOnly: true,
  reporter: process.env.PLAYWRIGHT_JSON ? [['list'], ['json', { outputFile: process.env.PLAYWRIGHT_JSON }]] : 'list',
  use: {
    baseURL: url ?? `http://localhost:${PORT}`,
    browserName: 'chromium',
    launchOptions: { ...(executablePath && { executablePath }), args: CHROMIUM_ARGUMENTS },
  },
  ...(url
    ? {}
    : {
        webServer: {
          command: `npm run --silent e2e:serve -- --port ${PORT} --strictPort`,
          port: PORT,
          timeout: 240_000,
        },
      }),
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, 'localhost', () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('No port is free.')),
      );
    });
  });
}
