import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MismatchError, MissingError, UsageError } from '../errors.ts';
import { createRuntime, onProcessor } from '../library/create-runtime.ts';
import { defaultStoreFolder, embeddedFolder, isExportedFolder, openExportedFolder } from '../library/disk.ts';
import type { ExportedModel } from '../library/exported-model.ts';
import { openModel } from '../library/open.ts';
import type { OpenModel } from '../library/open-model.ts';
import { decodeScores, type Scores } from '../library/score-file.ts';
import type { Backend, Runtime } from '../runtime/runtime.ts';
import { createConsole } from './console.ts';
import { streamed } from './input-file.ts';
import type { CommonOptions } from './options.ts';

/** The runtime that the common options ask for. */
async function openRuntime(options: CommonOptions): Promise<Runtime> {
  const { backend, threads, adapter, json = false, quiet = false } = options;
  if (adapter !== undefined && backend !== 'webgpu' && backend !== 'auto')
    throw new UsageError(`--adapter is for graphics adapters; add --backend webgpu.`);
  const { note } = createConsole({ json, quiet });
  const onHost = threads === undefined ? {} : { threads };
  if (backend === undefined) return onProcessor(onHost, note);
  if (backend === 'wasm') note('Starting WebAssembly: it is compiled first, which takes some seconds.');
  return createRuntime({
    backend,
    ...onHost,
    ...(adapter === undefined ? {} : { adapter }),
  });
}

/** What `--json` says of where a result was computed. */
export interface ComputedOn {
  readonly backend: Backend;
  /** The graphics adapter; null on the host. */
  readonly adapter: string | null;
}

export function computedOn({ backend, adapter }: Runtime): ComputedOn {
  return { backend, adapter: adapter?.name ?? null };
}

/** Opens runtime and model for one command and frees both after `use`. */
export async function withModel<Result>(
  name: string,
  options: CommonOptions,
  signal: AbortSignal,
  use: (open: OpenModel) => Promise<Result>,
): Promise<Result> {
  const { note, onProgress } = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
  using open = await openModel(name, {
    runtime: () => openRuntime(options),
    ignoreTensors: options.ignoreTensors ?? false,
    signal,
    onProgress,
    onDownload: ({ model, bytes, present, licence }) =>
      note(
        `Downloading ${model.id}: ${((bytes - present) / 1e6).toFixed(1)} MB${licence ? `, licence ${licence}` : ''}; kept in ${defaultStoreFolder(process.env)}.`,
      ),
  });
  for (const each of open.model.checkpoint.notes ?? []) note(each);
  return await use(open);
}

/** The same for commands that take an exported folder as what it is: its decoder. `onNote` is told what people should know of that. */
export async function withAnyModel<Result>(
  name: string,
  options: CommonOptions,
  signal: AbortSignal,
  onNote: (sentence: string) => void,
  use: (model: OpenModel | ExportedModel) => Promise<Result>,
): Promise<Result> {
  const isExported = existsSync(name) && statSync(name).isDirectory() && (await isExportedFolder(name));
  if (!isExported) return withModel(name, options, signal, use);
  using runtime = await openRuntime(options);
  using model = await openExportedFolder(runtime, name, onNote);
  return await use(model);
}

/** The dense model that another is compared with, on the same runtime. The caller's to dispose. Throws MismatchError for one with another vocabulary. */
export async function openDense(
  name: string,
  vocabulary: number,
  runtime: Runtime,
  options: CommonOptions,
): Promise<OpenModel> {
  const open = await openModel(name, { runtime, ignoreTensors: options.ignoreTensors ?? false });
  if (open.vocabulary === vocabulary) return open;
  open.dispose();
  throw new MismatchError(
    `${name} has ${open.vocabulary} tokens and the model that is compared with it ${vocabulary}; give the model that it was pruned from.`,
  );
}

/** Reads a score file. */
export async function readScores(path: string): Promise<Scores> {
  try {
    return await decodeScores((await streamed(path))?.bytes ?? new Uint8Array(await readFile(path)), path);
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
