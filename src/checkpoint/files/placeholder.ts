import type { ByteSource } from '../checkpoint.ts';

/** What a download sometimes leaves in place of a file, as a sentence: a pointer of Git LFS, or a page of a web site; undefined for anything else. */
export async function placeholder(source: ByteSource): Promise<string | undefined> {
  return placeholderText(new TextDecoder().decode(await source.read(0, Math.min(64, source.byteLength))), source.name);
}

/** The same of a file's beginning. */
export function placeholderText(beginning: string, name: string): string | undefined {
  const start = beginning.slice(0, 64).trimStart();
  if (start.startsWith('version https://git-lfs'))
    return `${name} is a pointer of Git LFS, not the file itself. Run "git lfs pull" in its folder, or download the file.`;
  if (/^<(!doctype|html)/i.test(start))
    return `${name} is a web page, not the file itself. Download the file by its own link; the page may ask to sign in first.`;
  return undefined;
}
