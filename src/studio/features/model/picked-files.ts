import type { PickedFile } from '../../../worker/engine.ts';

const picked = new Map<number, readonly PickedFile[]>();

/** Remembers files for the life of the page and returns the key that state holds. */
export function rememberFiles(files: readonly PickedFile[]): number {
  const key = picked.size + 1;
  picked.set(key, files);
  return key;
}

/** Files under a key; empty when the page was reloaded since. */
export function rememberedFiles(key: number): readonly PickedFile[] {
  return picked.get(key) ?? [];
}

/** Files of an input element: a folder's with their paths, single ones by name. */
export function filesOfInput(list: FileList): PickedFile[] {
  return [...list].map((file) => ({ path: file.webkitRelativePath || file.name, blob: file }));
}

/** Files of a drop, folders included. */
export async function filesOfDrop(data: DataTransfer): Promise<PickedFile[]> {
  // Entries have to be taken before the first await: the list is emptied then.
  const entries = [...data.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  const files: PickedFile[] = [];
  for (const entry of entries) await walk(entry, files);
  return files;
}

async function walk(entry: FileSystemEntry, into: PickedFile[]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    into.push({ path: entry.fullPath.replace(/^\//, ''), blob: file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A reader gives at most a hundred entries at a time, and none at the end.
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) return;
    for (const inner of batch) await walk(inner, into);
  }
}
