import { FileFormatError } from '../../errors.ts';
import type { ByteSource } from '../checkpoint.ts';
import { quote } from '../weights.ts';

/** A folder, wherever it lies: on disk, behind HTTP, dropped on the page, in memory. Names are relative, with '/' between parts. */
export interface FileAccess {
  /** Shown to people: the folder's name or a URL. */
  readonly name: string;
  /** Names of the files that are there. Behind HTTP: those of the expected names that may be there. */
  list(): Promise<readonly string[]>;
  /** One file, or undefined when it is not there. */
  open(name: string): Promise<ByteSource | undefined>;
}

/** Refuses a file name taken from inside another file that could lead out of the folder. Throws FileFormatError. */
export function checkInnerName(name: string, namedBy: string): string {
  const parts = name.split('/');
  const outside =
    name.includes('\0') ||
    name.includes('\\') ||
    name.includes(':') ||
    parts.some((part) => part === '' || part === '.' || part === '..');
  if (outside)
    throw new FileFormatError(
      `${namedBy} names the file ${quote(name)}; only plain names inside the model's folder are allowed.`,
    );
  return name;
}
