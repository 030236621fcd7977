import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CancelledError, FileFormatError, MissingError } from '../errors.ts';
import type { ByteSource } from './checkpoint.ts';
import { checkInnerName, type FileAccess } from './files.ts';
import { checkRange } from './memory.ts';

/** Node reads at most 2 GiB at once. */
const LARGEST_READ = 1 << 30;

/** A file on disk, read by ranges; it is opened for each read, so there is nothing to close. Throws MissingError when it is not there. */
export async function diskSource(path: string, name: string = basename(path)): Promise<ByteSource> {
  const status = await statOrUndefined(path);
  if (!status?.isFile()) throw new MissingError(`There is no file ${path}.`);
  const source = {
    name,
    byteLength: status.size,
    async read(start: number, end: number): Promise<Uint8Array> {
      checkRange(source, start, end);
      const bytes = new Uint8Array(end - start);
      const handle = await open(path, 'r');
      try {
        for (let done = 0; done < bytes.length; ) {
          const { bytesRead } = await handle.read(bytes, done, Math.min(bytes.length - done, LARGEST_READ), start + done);
          if (bytesRead === 0) throw new FileFormatError(`${path} became shorter while it was read. Leave the model's files alone until the work is done.`);
          done += bytesRead;
        }
      } finally {
        await handle.close();
      }
      return bytes;
    },
    async sha256(signal?: AbortSignal): Promise<string> {
      const hash = createHash('sha256');
      try {
        for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, ...(signal ? { signal } : {}) })) hash.update(chunk as Uint8Array);
      } catch (error) {
        if (signal?.aborted) throw new CancelledError();
        throw error;
      }
      return hash.digest('hex');
    },
  };
  return source;
}

/** A folder on disk. Lists its files and those of its direct subfolders (`onnx/`). Throws MissingError when it is not there. */
export async function diskFolder(path: string): Promise<FileAccess> {
  const root = resolve(path);
  if (!(await statOrUndefined(root))?.isDirectory()) throw new MissingError(`There is no folder ${path}.`);
  return {
    name: basename(root),
    async list(): Promise<readonly string[]> {
      const names: string[] = [];
      for (const name of (await readdir(root)).sort()) {
        const status = await statOrUndefined(join(root, name));
        if (status?.isFile()) names.push(name);
        else if (status?.isDirectory() && !name.startsWith('.')) {
          for (const inner of (await readdir(join(root, name))).sort()) {
            if ((await statOrUndefined(join(root, name, inner)))?.isFile()) names.push(`${name}/${inner}`);
          }
        }
      }
      return names;
    },
    async open(name: string): Promise<ByteSource | undefined> {
      const file = join(root, checkInnerName(name, basename(root)));
      return (await statOrUndefined(file))?.isFile() ? diskSource(file, name) : undefined;
    },
  };
}

/** What a path given by a person means: a folder, or a weight file in its folder. Throws MissingError when there is neither. */
export async function diskModel(path: string): Promise<{ readonly files: FileAccess; readonly weights: string | undefined; readonly name: string }> {
  const status = await statOrUndefined(path);
  if (status?.isDirectory()) return { files: await diskFolder(path), weights: undefined, name: basename(resolve(path)) };
  if (status?.isFile())
    return { files: await diskFolder(dirname(path)), weights: basename(path), name: basename(path).replace(/\.(gguf|safetensors|onnx)$/, '') };
  throw new MissingError(`There is no file or folder ${path}.`);
}

async function statOrUndefined(path: string) {
  try {
    return await stat(path);
  } catch {
    return undefined;
  }
}
