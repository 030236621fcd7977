import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { defaultStoreFolder, diskFolder, diskModel, diskStore } from '../checkpoint/disk.ts';
import { openCheckpoint } from '../checkpoint/folder.ts';
import { openHubModel } from '../checkpoint/hub.ts';
import { parseHubModel } from '../checkpoint/hub-model.ts';
import { MissingError, UsageError } from '../errors.ts';
import { isExported } from '../library/exported-model.ts';
import { OpenModel } from '../library/open-model.ts';
import type { LongRunning } from '../progress.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { decodeScores } from '../saap/score-file.ts';
import type { Scores } from '../saap/scores.ts';
import { createConsole } from './console.ts';
import type { CommonOptions } from './options.ts';
import { packageRoot } from './package-root.ts';

/** Models that ship with the package, with their calibration text and scores. */
export const EMBEDDED_MODELS = ['stories'] as const;

/** Folder of an embedded model, or undefined for any other name. A path that exists wins over an embedded id. */
export function embeddedFolder(name: string): string | undefined {
  const id = existsSync(name) ? undefined : EMBEDDED_MODELS.find((known) => known === name);
  if (!id) return undefined;
  const root = packageRoot();
  const candidates = [join(root, 'public/models', id), join(root, 'dist/studio/models', id)];
  return candidates.find((folder) => existsSync(folder)) ?? candidates[0];
}

/**
 * Opens a MODEL of the command line: an embedded id, a folder, a weight file, or a hub id, which is downloaded once (endpoint from HF_ENDPOINT, token
 * from HF_TOKEN). Throws MissingError saying what a model can be.
 */
export async function openNamed(name: string, hub?: LongRunning & { readonly note: (message: string) => void }): Promise<Checkpoint> {
  const path = embeddedFolder(name) ?? name;
  if (!existsSync(path)) {
    const onHub = hub && parseHubModel(name, process.env.HF_ENDPOINT || undefined);
    if (!onHub) {
      throw new MissingError(
        `There is no model "${name}": it is no folder or file here, not the embedded model "stories", and no hub id such as org/name. Give a Hugging Face folder, a weight file or a hub id.`,
      );
    }
    return openHubModel(onHub, diskStore(defaultStoreFolder(process.env)), {
      token: process.env.HF_TOKEN,
      signal: hub.signal,
      onProgress: hub.onProgress,
      onPlan: ({ model, bytes, present, licence }) =>
        hub.note(
          `Downloading ${model.id}: ${((bytes - present) / 1e6).toFixed(1)} MB${licence ? `, licence ${licence}` : ''}; kept in ${defaultStoreFolder(process.env)}.`,
        ),
    });
  }
  const { files, weights, name: shown } = await diskModel(path);
  return openCheckpoint(files, { ...(weights === undefined ? {} : { weights }), name: embeddedFolder(name) ? name : shown });
}

/** The folder of a MODEL that is an exported decoder without a checkpoint, or undefined for any other MODEL. */
export async function exportedFolder(name: string): Promise<string | undefined> {
  if (!existsSync(name) || !statSync(name).isDirectory()) return undefined;
  return (await isExported(await diskFolder(name))) ? name : undefined;
}

/** The runtime that the common options ask for. */
export async function openRuntime(options: CommonOptions): Promise<Runtime> {
  if (options.backend === 'cpu') return createNodeRuntime(options.threads === undefined ? {} : { threads: options.threads });
  if (options.backend === 'wasm') {
    const { createWebRuntime } = await import('../runtime/web.ts');
    return createWebRuntime({ backend: 'wasm', ...(options.threads === undefined ? {} : { threads: options.threads }) });
  }
  if (options.backend === 'webgpu')
    throw new UsageError('--backend webgpu needs a browser: run "espalier studio" and open the page. On the command line choose cpu or wasm.');
  throw new UsageError(`--backend is "${options.backend}"; choose cpu, wasm or webgpu.`);
}

/** Opens runtime and model for one command and frees both after `use`. */
export async function withModel<Result>(name: string, options: CommonOptions, signal: AbortSignal, use: (open: OpenModel) => Promise<Result>): Promise<Result> {
  const { note, onProgress } = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
  const checkpoint = await openNamed(name, { signal, onProgress, note });
  using runtime = await openRuntime(options);
  using open = new OpenModel(runtime, checkpoint);
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
