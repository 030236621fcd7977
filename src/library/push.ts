import { commitIter, createRepo, deleteRepo, HubApiError } from '@huggingface/hub';
import type { ByteSource } from '../checkpoint/checkpoint.ts';
import { blobFiles } from '../checkpoint/files/file.ts';
import type { FileAccess } from '../checkpoint/files/files.ts';
import { parseHubModel } from '../checkpoint/store/hub-model.ts';
import { CancelledError, EspalierError, MissingError, NetworkError, throwIfCancelled, UsageError } from '../errors.ts';
import { type CardFields, checkCardFields, withCardFields } from '../export/card-fields.ts';
import type { LongRunning } from '../progress.ts';

/** What is published, and where. */
export interface PushOptions extends LongRunning, CardFields {
  /** A folder that `prune` or `recover` wrote. */
  readonly folder: FileAccess;
  /** 'org/name' */
  readonly repository: string;
  /** An access token with the right to write. Used for this push and kept nowhere. */
  readonly token: string;
  /** The hub's address; default the public one. */
  readonly endpoint?: string | undefined;
  /** Makes a new repository private. One that is there keeps its visibility. */
  readonly isPrivate?: boolean | undefined;
  /** A file as a Blob, where it can be had without reading it into memory; default: read whole. */
  readonly blobOf?: ((name: string, source: ByteSource) => Promise<Blob>) | undefined;
  /** Default: that of the platform. */
  readonly fetch?: typeof fetch;
}

/** What was published. */
export interface Pushed {
  /** Page of the model. */
  readonly url: string;
  /** Id of the commit that has all files. */
  readonly commit: string;
  /** What the commit holds. */
  readonly files: readonly {
    /** Relative to the repository. */
    readonly name: string;
    /** Its size. */
    readonly bytes: number;
  }[];
  /** Whether the repository is new. */
  readonly isNew: boolean;
}

/**
 * Publishes a folder as a model on a hub: all files in one commit, so that either all of them are there or none. A repository that was made for a push which then fails or is
 * cancelled is taken away again. Throws UsageError for a name, licence or base model that is none, MissingError for a folder that no export wrote, NetworkError where the hub refuses or is not reached.
 */
export async function push(options: PushOptions): Promise<Pushed> {
  const { repository, token, signal, onProgress } = options;
  const model = parseHubModel(repository, options.endpoint);
  if (!model || model.file !== undefined)
    throw new UsageError(`"${repository}" is no name of a repository. Give one such as your-name/your-model.`);
  if (token === '')
    throw new UsageError('A push needs an access token with the right to write. Set HF_TOKEN to it for this command.');
  checkCardFields(options);
  if (!token.startsWith('hf_'))
    throw new UsageError(
      'This is no access token: those of the hub begin with hf_. Copy it again from your account there.',
    );
  const files = await readFolder(options);
  const request = {
    repo: { type: 'model' as const, name: model.id },
    accessToken: token,
    hubUrl: model.endpoint,
    ...(options.fetch && { fetch: options.fetch }),
  };
  throwIfCancelled(signal);
  const isNew = await explain(repository, model.endpoint, signal, () =>
    ensureRepository(request, options.isPrivate ?? false),
  );
  try {
    const commit = await explain(repository, model.endpoint, signal, () => upload(request, files, options));
    const total = files.reduce((sum, { content }) => sum + content.size, 0);
    onProgress?.({ stage: 'uploading', completed: total, total, unit: 'bytes' });
    return {
      url: `${model.endpoint}/${model.id}`,
      commit,
      files: files.map(({ path, content }) => ({ name: path, bytes: content.size })),
      isNew,
    };
  } catch (error) {
    // What cannot be taken away stays empty: a commit is all or nothing.
    if (isNew) await deleteRepo(request).catch(() => undefined);
    throw error;
  }
}

/** Publishes files that are at hand, such as those of an export in a page. Throws as `push`. */
export function pushFiles(
  files: readonly { readonly name: string; readonly content: Blob }[],
  { name, ...options }: Omit<PushOptions, 'folder' | 'blobOf'> & { readonly name: string },
): Promise<Pushed> {
  const contents = new Map(files.map((file) => [file.name, file.content]));
  const blobOf = async (file: string) => contents.get(file) ?? new Blob();
  return push({ ...options, folder: blobFiles(name, contents), blobOf });
}

interface UploadFile {
  readonly path: string;
  readonly content: Blob;
}

/** The model card of a folder. */
const CARD = 'README.md';

async function readFolder({ folder, blobOf, ...card }: PushOptions): Promise<UploadFile[]> {
  const names = await folder.list();
  if (!names.includes('espalier.json'))
    throw new MissingError(
      `${folder.name} has no espalier.json, so no export wrote it. Name a folder that "espalier prune" wrote.`,
    );
  const files: UploadFile[] = [];
  for (const name of names) {
    const source = await folder.open(name);
    if (!source) continue;
    const content = blobOf
      ? await blobOf(name, source)
      : new Blob([(await source.read(0, source.byteLength)) as Uint8Array<ArrayBuffer>]);
    files.push({
      path: name,
      content: name === CARD ? new Blob([withCardFields(await content.text(), card)]) : content,
    });
  }
  return files;
}

interface Request {
  readonly repo: { readonly type: 'model'; readonly name: string };
  readonly accessToken: string;
  readonly hubUrl: string;
  readonly fetch?: typeof fetch;
}

async function ensureRepository(request: Request, isPrivate: boolean): Promise<boolean> {
  try {
    await createRepo({
      ...request,
      visibility: isPrivate ? 'private' : 'public',
    });
    return true;
  } catch (error) {
    if (error instanceof HubApiError && error.statusCode === 409) return false;
    throw error;
  }
}

async function upload(
  request: Request,
  files: readonly UploadFile[],
  { signal, onProgress }: PushOptions,
): Promise<string> {
  const total = files.reduce((sum, { content }) => sum + content.size, 0);
  const sizes = new Map(files.map(({ path, content }) => [path, content.size]));
  const shares = new Map<string, number>();
  let told = 0;
  const events = commitIter({
    ...request,
    title: 'Upload a model pruned by Espalier',
    operations: files.map((file) => ({ operation: 'addOrUpdate', ...file })),
    useXet: false,
    ...(signal && { abortSignal: signal }),
  });
  for (;;) {
    const next = await events.next();
    if (next.done) return next.value?.commit.oid ?? '';
    if (next.value.event !== 'fileProgress' || next.value.state !== 'uploading') continue;
    shares.set(next.value.path, next.value.progress);
    const completed = [...shares].reduce((sum, [path, share]) => sum + share * (sizes.get(path) ?? 0), 0);
    told = Math.max(told, Math.min(total - 1, Math.round(completed)));
    onProgress?.({ stage: 'uploading', completed: told, total, unit: 'bytes' });
  }
}

/** What the hub or the network did, in a sentence that names the remedy. The token is in no message. */
async function explain<Value>(
  repository: string,
  endpoint: string,
  signal: AbortSignal | undefined,
  work: () => Promise<Value>,
): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    if (signal?.aborted) throw new CancelledError();
    if (error instanceof EspalierError) throw error;
    if (error instanceof HubApiError && (error.statusCode === 401 || error.statusCode === 403))
      throw new NetworkError(
        `${endpoint} does not let this token write to ${repository}. Make a token with the right to write there, or push to a name of your own. Nothing was published.`,
        { cause: error },
      );
    const reason = error instanceof Error ? error.message : String(error);
    throw new NetworkError(
      `The push to ${repository} on ${endpoint} failed: ${reason}. Nothing was published; push again.`,
      {
        cause: error,
      },
    );
  }
}
