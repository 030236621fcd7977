import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ensureVulkan } from './vulkan.mjs';

/**
 * `npm run gpu`: measures this machine's graphics card (bench/gpu.bench.ts has the options). With --software a Vulkan driver that computes on the processor, for which --quick is meant.
 * The driver must be chosen before a process starts, so that the measuring has one of its own.
 */
const words = process.argv.slice(2);
const software = words.includes('--software');
const variables = software ? ensureVulkan() : {};
if (!variables) throw new Error('There is no Vulkan driver in software here: neither lavapipe nor SwiftShader.');
const { status } = spawnSync(
  process.execPath,
  ['scripts/bench.mjs', 'gpu', ...words.filter((word) => word !== '--software')],
  {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: 'inherit',
    env: { ...process.env, ...variables },
  },
);
process.exitCode = status ?? 1;
