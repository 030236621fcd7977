import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * Runs a command and ends it, with exit code 137, when its resident memory passes a limit; tells its peak and its time. Linux only.
 *
 *   node scripts/within-memory.mjs MEBIBYTES COMMAND ...
 */
const [limit, command, ...rest] = process.argv.slice(2);
const mebibytes = Number(limit);
if (!(mebibytes > 0) || command === undefined)
  throw new Error('Usage: node scripts/within-memory.mjs MEBIBYTES COMMAND ...');
const started = performance.now();
const child = spawn(command, rest, { stdio: 'inherit' });
let peak = 0;
let passed = false;

/** Peak resident memory so far, in MiB: the system keeps it, so that nothing between two looks is missed. */
function look() {
  try {
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  } catch {
    // It has ended.
  }
  if (peak > mebibytes && !passed) {
    passed = true;
    process.stderr.write(`The command passed ${mebibytes} MiB of resident memory and was ended.\n`);
    child.kill('SIGKILL');
  }
}
const timer = setInterval(look, 50);
process.on('SIGINT', () => child.kill('SIGINT'));
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => {
  clearInterval(timer);
  process.stderr.write(
    `peak ${peak.toFixed(0)} MiB of ${mebibytes} MiB allowed, ${((performance.now() - started) / 1000).toFixed(1)} s\n`,
  );
  process.exitCode = passed ? 137 : (code ?? 1);
});
