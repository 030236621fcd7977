import { HUB_URL, listFiles, modelInfo } from '@huggingface/hub';
import {
  CancelledError,
  EspalierError,
  MissingError,
  NetworkError,
  StorageError,
  throwIfCancelled,
  UsageError,
} from '../../errors.ts';
import type { LongRunning } from '../../progress.ts';
import type { Checkpoint } from '../checkpoint.ts';
import type { FileAccess } from '../files/files.ts';
import { openCheckpoint } from '../folder.ts';
import { downloadFile, pause, type Transfer } from './hub-download.ts';
import { chooseFiles, type HubFile, megabytes } from './hub-files.ts';
import type { HubModel } from './hub-model.ts';
import type { Manifest, ModelStore, StoreLock } from './model-store.ts';

export interface HubOptions {
  /** An access token, for private and gated models. Kept out of every message. */
  readonly token?: string | undefined;
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal | undefined;
}

/** What a download will bring: shown before it begins. */
export interface DownloadPlan {
  /** What is asked for. */
  readonly model: HubModel;
  /** The commit that its revision is now. */
  readonly commit: string;
  /** As the model card names it. */
  readonly licence: string | undefined;
  /** Files that are needed, weights and companions. */
  readonly files: readonly HubFile[];
  /** Their size together. */
  readonly bytes: number;
  /** Of these, bytes that are there already. */
  readonly present: number;
}

/**
 * Asks the hub what a model consists of. Throws MissingError (no such model, revision or weights), NetworkError (hub not reached, access refused) or
 * UsageError (several weight files to choose from).
 */
export async function planDownload(
  model: HubModel,
  store: Pick<ModelStore, 'files'>,
  options: HubOptions = {},
): Promise<DownloadPlan> {
  const request = {
    hubUrl: model.endpoint,
    fetch: fetchWith(options),
    revision: model.revision,
    ...credentials(options),
  };
  return explain(model, options, async () => {
    const info = await modelInfo({ name: model.id, additionalFields: ['sha', 'cardData'], ...request });
    const commit = /^[0-9a-f]{40}$/.test(String(info.sha)) ? String(info.sha) : undefined;
    if (!commit)
      throw new NetworkError(
        `${model.endpoint} did not say which commit ${model.id}@${model.revision} is. Check that the address is that of a model hub.`,
      );
    const listed: HubFile[] = [];
    for await (const entry of listFiles({
      repo: { type: 'model', name: model.id },
      recursive: true,
      ...request,
      revision: commit,
    })) {
      const file = hubFile(entry);
      if (file) listed.push(file);
    }
    const files = chooseFiles(listed, model.id, model.file);
    const licence = (info.cardData as { license?: unknown } | undefined)?.license;
    const there = await store.files({ id: model.id, commit });
    const present = await presentBytes(files, there);
    const bytes = files.reduce((sum, file) => sum + file.size, 0);
    return { model, commit, licence: typeof licence === 'string' ? licence : undefined, files, bytes, present };
  });
}

function hubFile(entry: {
  type: string;
  path: string;
  size: number;
  oid?: string;
  lfs?: { oid: string; size: number };
}): HubFile | undefined {
  const { path, lfs, oid } = entry;
  const isInside =
    !path.split('/').some((part) => part === '' || part === '.' || part === '..') && !/[\\:\0]/.test(path);
  if (entry.type !== 'file' || !isInside) return undefined;
  if (lfs && /^[0-9a-f]{64}$/.test(lfs.oid) && Number.isSafeInteger(lfs.size))
    return { name: path, size: lfs.size, digest: { kind: 'sha256', value: lfs.oid } };
  if (!lfs && oid && /^[0-9a-f]{40}$/.test(oid) && Number.isSafeInteger(entry.size))
    return { name: path, size: entry.size, digest: { kind: 'git', value: oid } };
  return undefined;
}

/**
 * Brings a planned model into the store. Progress is one sum of bytes over all files, of which those that are there already count at once. Files are held
 * against the hub's digests while they come; a cut connection is resumed, also after a restart; a file has its final name only when it is whole.
 * While another process or page brings the same model, waits for it and takes what it brought.
 * Throws StorageError when the store has too little room, NetworkError, FileFormatError for wrong bytes, CancelledError.
 */
export async function download(
  plan: DownloadPlan,
  store: ModelStore,
  options: HubOptions & LongRunning = {},
): Promise<Manifest> {
  const { model, commit, bytes, files } = plan;
  const key = { id: model.id, commit };
  let reported = 0;
  // Bytes that have to come again are not taken off what was reported: progress never goes back.
  const report = (completed: number) => {
    reported = Math.max(reported, completed);
    options.onProgress?.({ stage: 'downloading', completed: reported, total: bytes, unit: 'bytes' });
  };
  await using _ = await waitForLock(
    plan,
    store,
    async () => report(await presentBytes(files, await store.files(key))),
    options.signal,
  );
  const there = await store.files(key);
  const needed = bytes - (await presentBytes(files, there));
  const available = await store.available();
  if (available !== undefined && needed > available) {
    throw new StorageError(
      `${model.id} needs ${megabytes(needed)} and ${megabytes(available)} are free. Delete a stored model or take a smaller one.`,
    );
  }
  let have = 0;
  const transfer: Transfer = {
    fetch: fetchWith(options),
    signal: options.signal,
    onBytes: (count) => {
      have += count;
      report(have);
    },
  };
  transfer.onBytes(0);
  for (const file of files) {
    throwIfCancelled(options.signal);
    if ((await there.open(file.name))?.byteLength === file.size) {
      transfer.onBytes(file.size);
      continue;
    }
    const path = file.name.split('/').map(encodeURIComponent).join('/');
    await explain(model, options, () =>
      downloadFile(
        `${model.endpoint}/${model.id}/resolve/${commit}/${path}`,
        file,
        () => store.partial(key, file.name),
        transfer,
      ),
    );
  }
  const manifest: Manifest = {
    format: 'espalier-model/1',
    ...key,
    revision: model.revision,
    ...(model.file === undefined ? {} : { weights: model.file }),
    ...(plan.licence === undefined ? {} : { licence: plan.licence }),
    files: files.map(({ name, size }) => ({ name, size })),
  };
  await store.finish(manifest);
  return manifest;
}

/** Bytes of the files that are there whole. */
async function presentBytes(files: readonly HubFile[], there: FileAccess): Promise<number> {
  let present = 0;
  for (const file of files) if ((await there.open(file.name))?.byteLength === file.size) present += file.size;
  return present;
}

const LOOK_AGAIN_MS = 250;

/** Waits while another process or page stores the same model, whose progress `look` reports: what it brings need not come twice. */
async function waitForLock(
  { model, commit }: DownloadPlan,
  store: ModelStore,
  look: () => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<StoreLock> {
  for (;;) {
    throwIfCancelled(signal);
    const lock = await store.tryLock({ id: model.id, commit });
    if (lock) return lock;
    await look();
    await pause(LOOK_AGAIN_MS, signal);
  }
}

/** The stored model that a name means without asking the hub: by commit, or the one that the revision meant last. */
export async function findStored(model: HubModel, store: ModelStore): Promise<Manifest | undefined> {
  const candidates = (await store.list()).filter(
    ({ id, weights }) => id === model.id && (model.file === undefined || weights === model.file),
  );
  return (
    candidates.find(({ commit }) => commit === model.revision) ??
    candidates.findLast(({ revision }) => revision === model.revision)
  );
}

async function openStored(manifest: Manifest, store: ModelStore): Promise<Checkpoint> {
  return openCheckpoint(await store.files(manifest), {
    name: manifest.id,
    revision: manifest.commit,
    weights: manifest.weights,
  });
}

/** Opens a model of the hub: from the store when it is there, else after a download. Once stored it needs no network. */
export async function openHubModel(
  model: HubModel,
  store: ModelStore,
  options: HubOptions & LongRunning & { readonly onPlan?: (plan: DownloadPlan) => void } = {},
): Promise<Checkpoint> {
  const stored = await findStored(model, store);
  if (stored) return openStored(stored, store);
  const plan = await planDownload(model, store, options);
  options.onPlan?.(plan);
  return openStored(await download(plan, store, options), store);
}

function credentials({ token }: HubOptions): { readonly accessToken: string } | Record<never, never> {
  return token === undefined || token === '' ? {} : { accessToken: token };
}

/** Requests that carry the token and stop with the signal. */
function fetchWith({ fetch: doFetch = fetch, signal, token }: HubOptions): typeof fetch {
  return (input, init) => {
    const headers = new Headers(init?.headers);
    if (token) headers.set('Authorization', `Bearer ${token}`);
    return doFetch(input, {
      ...init,
      headers,
      ...(signal ? { signal: init?.signal ? AbortSignal.any([signal, init.signal]) : signal } : {}),
    });
  };
}

/** Turns what the hub's client and the network throw into sentences. */
async function explain<T>(model: HubModel, options: HubOptions, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (options.signal?.aborted) throw new CancelledError();
    if (cause instanceof EspalierError) throw cause;
    const name = `${model.id}${model.revision === 'main' ? '' : `@${model.revision}`}`;
    const status = typeof cause === 'object' && cause !== null && 'statusCode' in cause ? cause.statusCode : undefined;
    if (status === 404)
      throw new MissingError(`${model.endpoint} has no model ${name}. Check the spelling of name and revision.`, {
        cause,
      });
    if (status === 401 || status === 403) {
      const hub = model.endpoint === HUB_URL ? '' : `, and HF_ENDPOINT to ${model.endpoint},`;
      throw new NetworkError(
        `${model.endpoint} refuses access to ${name}: it does not exist, is private, or its terms have to be accepted on its page first. ${options.token ? 'Check the token.' : `Set HF_TOKEN${hub} if you have access.`}`,
        { cause },
      );
    }
    if (cause instanceof TypeError && /token must start with/.test(cause.message))
      throw new UsageError(
        'This is no access token: those of the hub begin with hf_. Copy it again from your account there.',
      );
    if (typeof status === 'number')
      throw new NetworkError(`${model.endpoint} answered with status ${status} for ${name}. Try again later.`, {
        cause,
      });
    throw new NetworkError(
      `${model.endpoint} cannot be reached, or does not answer as a model hub does. Check the connection and try again.`,
      { cause },
    );
  }
}
