import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import type { StoreLock } from './model-store.ts';

/** A holder touches its file this often; one that has been silent for long is gone, whatever machine it ran on. */
const BEAT_MS = 5000;
const GONE_MS = 60_000;

/**
 * Takes the lock that a file at `path` stands for, or returns undefined while another process holds it. A holder that died, or fell silent on another
 * machine, holds nothing.
 */
export async function tryDiskLock(path: string): Promise<StoreLock | undefined> {
  await mkdir(dirname(path), { recursive: true });
  const token = JSON.stringify({ host: hostname(), process: process.pid, id: randomUUID() });
  if (!(await create(path, token)) && !((await clearStale(path)) && (await create(path, token)))) return undefined;
  const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), BEAT_MS);
  beat.unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(beat);
      if ((await contents(path)) === token) await rm(path, { force: true });
    },
  };
}

/** The file appears with its contents or not at all, so that nobody reads half a token. */
async function create(path: string, token: string): Promise<boolean> {
  const own = `${path}.${randomUUID()}`;
  await writeFile(own, token);
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

/**
 * Takes a dead holder's file away. Returns whether the lock may be tried again. One process clears at a time and looks again when it is its turn: the file of a live
 * holder is never taken away, not even for a moment, in which somebody else could get the lock.
 */
async function clearStale(path: string): Promise<boolean> {
  const token = await contents(path);
  if (token === undefined) return true;
  if (!(await isGone(path, token))) return false;
  const turn = `${path}.clearing`;
  try {
    await mkdir(turn);
  } catch {
    const since = await stat(turn).catch(() => undefined);
    if (since && Date.now() - since.mtimeMs > GONE_MS) await rmdir(turn).catch(() => undefined);
    return false;
  }
  try {
    const found = await contents(path);
    if (found !== undefined && (await isGone(path, found))) await rm(path, { force: true });
    return true;
  } finally {
    await rmdir(turn).catch(() => undefined);
  }
}

async function isGone(path: string, token: string): Promise<boolean> {
  const status = await stat(path).catch(() => undefined);
  if (status && Date.now() - status.mtimeMs > GONE_MS) return true;
  const { host, process: holder } = parse(token);
  return host === hostname() && typeof holder === 'number' && !isAlive(holder);
}

function parse(token: string): { readonly host?: unknown; readonly process?: unknown } {
  try {
    return (JSON.parse(token) ?? {}) as { host?: unknown; process?: unknown };
  } catch {
    return {};
  }
}

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const contents = (path: string) => readFile(path, 'utf8').catch(() => undefined);
