import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HUB_URL } from '@huggingface/hub';
import { MissingError } from '../errors.ts';
import type { LongRunning } from '../progress.ts';
import type { Checkpoint } from './checkpoint.ts';
import { defaultStoreFolder, diskModel, diskStore } from './files/disk.ts';
import { packageRoot } from './files/package-root.ts';
import { openCheckpoint } from './folder.ts';
import { type DownloadPlan, openHubModel } from './store/hub.ts';
import { type HubModel, parseHubModel } from './store/hub-model.ts';

/** Models that ship with the package, with their calibration text and scores. */
const EMBEDDED_MODELS = ['stories'] as const;

/** Folder of an embedded model, or undefined for any other name. A path that exists wins over an embedded id. */
export function embeddedFolder(name: string): string | undefined {
  const id = existsSync(name) ? undefined : EMBEDDED_MODELS.find((known) => known === name);
  if (!id) return undefined;
  const root = packageRoot();
  const candidates = [join(root, 'public/models', id), join(root, 'dist/studio/models', id)];
  return candidates.find((folder) => existsSync(folder)) ?? candidates[0];
}

/**
 * Opens a model by its name on this machine: an embedded id, a folder, a weight file, or a hub id, which is downloaded once (endpoint and token from the options, else from HF_ENDPOINT and
 * HF_TOKEN) and kept in `defaultStoreFolder`. HF_TOKEN is sent to the hub of HF_ENDPOINT alone (without it, to huggingface.co), never to another that `name` is an address of. `onPlan` is told before a download. Throws MissingError saying what a model can be.
 */
export async function openNamed(
  name: string,
  options: LongRunning & {
    readonly endpoint?: string | undefined;
    readonly token?: string | undefined;
    readonly onPlan?: (plan: DownloadPlan) => void;
  } = {},
): Promise<Checkpoint> {
  const embedded = embeddedFolder(name);
  const path = embedded ?? name;
  if (existsSync(path)) {
    const { files, weights, name: shown } = await diskModel(path);
    return openCheckpoint(files, { ...(weights === undefined ? {} : { weights }), name: embedded ? name : shown });
  }
  const { endpoint = process.env.HF_ENDPOINT || undefined, token, ...rest } = options;
  const model = parseHubModel(name, endpoint);
  if (model)
    return openHubModel(model, diskStore(defaultStoreFolder(process.env)), {
      ...rest,
      token: token ?? (isHomeHub(model) ? process.env.HF_TOKEN : undefined),
    });
  throw new MissingError(
    `There is no model "${name}": it is no folder or file here, not the embedded model "stories", and no hub id such as org/name. Give a Hugging Face folder, a weight file or a hub id.`,
  );
}

/** Whether a model is of the hub that HF_TOKEN belongs to. */
function isHomeHub({ endpoint }: HubModel): boolean {
  const home = process.env.HF_ENDPOINT || HUB_URL;
  return URL.canParse(home) && new URL(endpoint).origin === new URL(home).origin;
}
