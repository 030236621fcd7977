import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packPackage } from './pack.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Checks the sources, builds, packs and checks the package: what comes out is what is published, "npm publish release/espalier-….tgz". */
for (const check of ['typecheck', 'lint', 'unused', 'size']) {
  const { status } = spawnSync('npm', ['run', '--silent', check], { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) {
    console.error(`"npm run ${check}" found something; nothing was packed.`);
    process.exit(1);
  }
}
const { path, bytes, unpackedBytes } = packPackage(join(ROOT, 'release'));
console.log(`${path}: ${(bytes / 1e6).toFixed(1)} MB, ${(unpackedBytes / 1e6).toFixed(1)} MB unpacked.`);
