import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultStoreFolder, diskFolder } from '../checkpoint/files/disk.ts';
import { embeddedFolder, openNamed } from '../checkpoint/local.ts';
import { MissingError, UsageError } from '../errors.ts';
import { decodeScores } from '../importance/files/score-file.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { isExported } from '../library/exported-model.ts';
import { OpenModel } from '../library/open-model.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { createConsole } from './console.ts';
import type { CommonOptions } from './options.ts';

/** The folder of a MODEL that is an exported decoder without a checkpoint, or undefined for any other MODEL. */
export async function exportedFolder(name: string): Promise<string | undefined> {
  if (!existsSync(name) || !statSync(name).isDirectory()) return undefined;
  return (await isExported(await diskFolder(name))) ? name : undefined;
}

/** The runtime that the common options ask for. */
export async function openRuntime(options: CommonOptions): Promise<Runtime> {
  if (options.backend === 'cpu')
    return createNodeRuntime(options.threads === undefined ? {} : { threads: options.threads });
  if (options.backend === 'wasm') {
    createConsole({ json: options.json ?? false, quiet: options.quiet ?? false }).note(
      'Starting WebAssembly: it is compiled first, which takes some seconds.',
    );
    const { createWebRuntime } = await import('../runtime/web.ts');
    return createWebRuntime({
      backend: 'wasm',
      ...(options.threads === undefined ? {} : { threads: options.threads }),
    });
  }
  if (options.backend === 'webgpu')
    throw new UsageError(
      '--backend webgpu needs a browser: run "espalier studio" and open the page. On the command line choose cpu or wasm.',
    );
  throw new UsageError(`--backend is "${options.backend}"; choose cpu, wasm or webgpu.`);
}

/** Opens runtime and model for one command and frees both after `use`. */
export async function withModel<Result>(
  name: string,
  options: CommonOptions,
  signal: AbortSignal,
  use: (open: OpenModel) => Promise<Result>,
): Promise<Result> {
  const { note, onProgress } = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
  const checkpoint = await openNamed(name, {
    signal,
    onProgress,
    onPlan: ({ model, bytes, present, licence }) =>
      note(
        `Downloading ${model.id}: ${((bytes - present) / 1e6).toFixed(1)} MB${licence ? `, licence ${licence}` : ''}; kept in ${defaultStoreFolder(process.env)}.`,
      ),
  });
  using runtime = await openRuntime(options);
  using open = new OpenModel(runtime, checkpoint, { ignoreTensors: options.ignoreTensors ?? false });
  for (const each of checkpoint.notes ?? []) note(each);
  return await use(open);
}

/** Reads a score file. */
export async function readScores(path: string): Promise<Scores> {
  try {
    return await decodeScores(new Uint8Array(await readFile(path)), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new MissingError(`There is no score file ${path}; make one with "espalier score".`, { cause: error });
    throw error;
  }
}

/** The scores that ship with an embedded model. */
export function embeddedScores(name: string): string | undefined {
  const folder = embeddedFolder(name);
  const path = folder && join(folder, 'scores.safetensors');
  return path && existsSync(path) ? path : undefined;
}
