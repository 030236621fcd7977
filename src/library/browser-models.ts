import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { blobFolder } from '../checkpoint/files/file.ts';
import { httpFolder } from '../checkpoint/files/http.ts';
import { opfsStore } from '../checkpoint/files/opfs.ts';
import { openCheckpoint } from '../checkpoint/folder.ts';
import { findStored, openHubModel, planDownload } from '../checkpoint/store/hub.ts';
import { type HubModel, parseHubModel } from '../checkpoint/store/hub-model.ts';
import { NetworkError, UsageError } from '../errors.ts';
import type { LongRunning } from '../progress.ts';
import type { DownloadOffer, HubAccess, ModelSource, StoredModel } from './model-sources.ts';

const store = opfsStore();

/** Opens a model in a browser's worker: from this site, from picked files, or from a hub through the private file system. `base` is the site's. */
export async function openInBrowser(source: ModelSource, options: LongRunning, base: URL): Promise<Checkpoint> {
  switch (source.kind) {
    case 'embedded':
      return openCheckpoint(httpFolder(new URL(`models/${source.id}/`, base).href, source.id), { name: source.id });
    case 'files': {
      const folder = blobFolder(source.files);
      return openCheckpoint(folder, { name: folder.name });
    }
    case 'hub':
      return forBrowser(openHubModel(hubModel(source.name), store, { ...options, token: source.token }));
  }
}

/** What opening a hub's model would download: nothing when it is stored. */
export async function offerFromHub(
  name: string,
  { signal, token }: LongRunning & HubAccess = {},
): Promise<DownloadOffer> {
  const model = hubModel(name);
  const stored = await findStored(model, store);
  if (stored) {
    const bytes = stored.files.reduce((sum, { size }) => sum + size, 0);
    return { name: model.id, licence: stored.licence, bytes, present: bytes };
  }
  const { licence, bytes, present } = await forBrowser(planDownload(model, store, { signal, token }));
  return { name: model.id, licence, bytes, present };
}

/** Refusals name where the command line has its token from; in a page it is typed. */
async function forBrowser<Value>(asked: Promise<Value>): Promise<Value> {
  return asked.catch((error: unknown) => {
    if (!(error instanceof NetworkError)) throw error;
    const message = error.message.replace(
      /Set HF_TOKEN.*$/,
      'If you have access, type an access token for it here; or download its files with your account and open the folder.',
    );
    throw new NetworkError(message, { cause: error });
  });
}

/** Models of hubs that are stored in this browser. */
export async function storedModels(): Promise<StoredModel[]> {
  const manifests = await store.list();
  return manifests.map(({ id, commit, revision, licence, files }) => ({
    id,
    commit,
    revision,
    licence,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
  }));
}

/** Deletes a model of a hub from this browser. */
export async function forgetModel(model: Pick<StoredModel, 'id' | 'commit'>): Promise<void> {
  await store.delete(model);
}

function hubModel(name: string): HubModel {
  const model = parseHubModel(name);
  if (!model)
    throw new UsageError(
      `"${name}" is no model of a hub. Give org/name, org/name@revision, or the address of a model's page.`,
    );
  return model;
}
