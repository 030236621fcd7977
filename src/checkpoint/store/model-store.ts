import { StorageError } from '../../errors.ts';
import type { FileAccess } from '../files/files.ts';

/** A downloaded model: its id and the commit that its revision meant. */
export interface StoredKey {
  readonly id: string;
  readonly commit: string;
}

/** Written last, so that a model with a manifest is whole. */
export interface Manifest extends StoredKey {
  readonly format: 'espalier-model/1';
  /** The revision that was asked for. */
  readonly revision: string;
  /** Main weight file, where one had to be named. */
  readonly weights?: string;
  readonly licence?: string;
  readonly files: readonly { readonly name: string; readonly size: number }[];
}

/** A file in the making, under a temporary name. What is there stays for a later try until `discard`. */
export interface PartialFile {
  /** Bytes that an earlier try left. */
  readonly size: number;
  read(start: number, end: number): Promise<Uint8Array>;
  append(bytes: Uint8Array): Promise<void>;
  /** Throws away what is there. */
  discard(): Promise<void>;
  /** Gives the file its final name. */
  commit(): Promise<void>;
  /** Frees handles; what is not committed stays for a later try. Does nothing after `commit`. */
  close(): Promise<void>;
}

/** Held while a model is being stored or deleted. */
export type StoreLock = AsyncDisposable;

/** Where downloaded models are kept: a folder on disk, or the origin's private file system. */
export interface ModelStore {
  /** All whole models. */
  list(): Promise<readonly Manifest[]>;
  /** The files of a model, whole or not. */
  files(key: StoredKey): Promise<FileAccess>;
  partial(key: StoredKey, name: string): Promise<PartialFile>;
  finish(manifest: Manifest): Promise<void>;
  /** The right to change a model, or undefined while another process or page has it. It ends with its holder. */
  tryLock(key: StoredKey): Promise<StoreLock | undefined>;
  /** Throws StorageError while the model is being stored. */
  delete(key: StoredKey): Promise<void>;
  /** Bytes that can still be stored, or undefined where nobody knows. */
  available(): Promise<number | undefined>;
}

/** A folder name for a key: ids have no '--'. */
export function storedFolder({ id, commit }: StoredKey): string {
  return `${id.replace('/', '--')}--${commit}`;
}

export function parseManifest(value: unknown): Manifest | undefined {
  const manifest = value as Partial<Manifest> | null;
  const isManifest =
    typeof manifest === 'object' &&
    manifest?.format === 'espalier-model/1' &&
    typeof manifest.id === 'string' &&
    typeof manifest.commit === 'string' &&
    typeof manifest.revision === 'string' &&
    Array.isArray(manifest.files);
  return isManifest ? (manifest as Manifest) : undefined;
}

export const MANIFEST = 'espalier-model.json';
export const PARTIAL_SUFFIX = '.part';

/** The lock for deleting a model. Throws StorageError while somebody else stores it. */
export async function lockForDeleting(store: Pick<ModelStore, 'tryLock'>, key: StoredKey): Promise<StoreLock> {
  const lock = await store.tryLock(key);
  if (lock) return lock;
  throw new StorageError(
    `${key.id} is being downloaded by another process or page. Wait for it, or stop it, and delete the model then.`,
  );
}
