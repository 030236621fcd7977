#!/usr/bin/env node
import { existsSync } from 'node:fs';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `espalier: this is Node ${process.versions.node}, but Node 20.19 or later is needed; install it from https://nodejs.org.\n`,
  );
  process.exit(1);
}

// From a checkout the sources are built when they have changed; the published package has them built.
const isCheckout = existsSync(new URL('../src/cli/main.ts', import.meta.url));
const { main, endWithReader } = isCheckout
  ? await (await import('../scripts/build-library.mjs')).importBuilt('cli/main')
  : await import('../dist/library/cli/main.js');
endWithReader();
process.exitCode = await main(process.argv.slice(2));
