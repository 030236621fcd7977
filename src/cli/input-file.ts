import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { MissingError, UsageError } from '../errors.ts';

/** Names of standard input, as people give them in place of a file's. */
const STANDARD_INPUT = ['-', '/dev/stdin'];

/** A file's name without folders, and its bytes. */
export interface InputFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What can be read once only is kept for the next time that a command asks. */
const streams = new Map<string, Promise<InputFile>>();

/** A file that a command is given. Throws MissingError when it is not there. */
export async function readInput(path: string): Promise<InputFile> {
  return (await streamed(path)) ?? { name: basename(path), bytes: await readWhole(path) };
}

/** A file's bytes. Throws MissingError when it is not there. */
export async function readBytes(path: string): Promise<Uint8Array> {
  return (await readInput(path)).bytes;
}

/**
 * Standard input (`-`), or a pipe that is named like a file, as a whole; undefined for a file. A pipe has no name that would tell what is in it: it is called
 * stdin.jsonl where its first line is an object of JSON, else stdin.txt.
 */
export async function streamed(path: string): Promise<InputFile | undefined> {
  const isStandard = STANDARD_INPUT.includes(path);
  if (!isStandard && !(await isPipe(path))) return undefined;
  const key = isStandard ? '-' : path;
  const known = streams.get(key) ?? (isStandard ? readStandard() : readWhole(path)).then(named);
  streams.set(key, known);
  return known;
}

async function isPipe(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && !found.isFile() && !found.isDirectory();
}

async function readStandard(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function named(bytes: Uint8Array): InputFile {
  const start = new TextDecoder().decode(bytes.subarray(0, 64)).trimStart();
  return { name: `stdin.${/^\{\s*"/.test(start) ? 'jsonl' : 'txt'}`, bytes };
}

async function readWhole(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new MissingError(`There is no file ${path}.`, { cause: error });
    if (code === 'ERR_FS_FILE_TOO_LARGE')
      throw new UsageError(`${path} has more than 2 GB, which is more than is read at once. Split it.`, {
        cause: error,
      });
    if (code === 'EISDIR') throw new MissingError(`${path} is a folder; a file is needed.`, { cause: error });
    throw error;
  }
}
