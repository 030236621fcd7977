import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { sha256OfBytes, sha256OfText } from '../checkpoint/files/sha256.ts';
import { embeddedFolder } from '../checkpoint/local.ts';
import { MissingError, UsageError } from '../errors.ts';
import { joinTexts, readTokenIds } from '../evaluate/text.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import { VERIFIED_POSITIONS } from '../export/verification-windows.ts';
import type { OpenModel } from '../library/open-model.ts';
import {
  type CalibrationOptions,
  DEFAULT_COMPENSATION_WINDOWS,
  DEFAULT_MEASURE_WINDOWS,
  DEFAULT_WINDOWS,
} from './options.ts';

/** Windows of token ids with what a score file records about them. */
export interface Calibration {
  readonly windows: readonly ArrayLike<number>[];
  readonly calibration: { readonly source: string; readonly sha256: string; readonly seed: number };
}

/**
 * Calibration windows from --token-ids, --calibration, or the embedded model's own text: as many as --windows says (UsageError where the text has
 * fewer), without it as many as there are up to `usual`.
 */
export async function readCalibration(
  name: string,
  open: OpenModel,
  options: CalibrationOptions,
  usual: number = DEFAULT_WINDOWS,
): Promise<Calibration> {
  const { seed } = options;
  if (options.tokenIds !== undefined) {
    const bytes = await readBytes(options.tokenIds);
    const windows = readTokenIds({ name: basename(options.tokenIds), bytes }, open.config.vocabulary);
    return { windows, calibration: { source: basename(options.tokenIds), sha256: await sha256OfBytes(bytes), seed } };
  }
  const text = await readText(calibrationFiles(name, options.calibration));
  const ids = (await open.tokenizer()).encode(text.text, { addSpecialTokens: false });
  const count = options.windows ?? Math.max(1, Math.min(usual, Math.floor(ids.length / options.length)));
  const windows = tokenWindows(ids, { length: options.length, count, seed });
  return { windows, calibration: { source: text.source, sha256: await sha256OfText(text.text), seed } };
}

/** Windows that compensation learns from: more than scoring needs are good. */
export async function readCompensationWindows(
  name: string,
  open: OpenModel,
  options: CalibrationOptions & { readonly compensationWindows?: number },
): Promise<readonly ArrayLike<number>[]> {
  return readOtherWindows(name, open, options, options.compensationWindows, DEFAULT_COMPENSATION_WINDOWS);
}

/** Windows that the search "measured" compares plans on: drawn by another seed than those that were scored. */
export async function readMeasureWindows(
  name: string,
  open: OpenModel,
  options: CalibrationOptions & { readonly measureWindows?: number },
): Promise<readonly ArrayLike<number>[]> {
  return readOtherWindows(
    name,
    open,
    { ...options, seed: options.seed + 1 },
    options.measureWindows,
    DEFAULT_MEASURE_WINDOWS,
  );
}

/** A few windows of real text, on which an export is compared with the block programs. */
export async function readVerificationWindows(
  name: string,
  open: OpenModel,
  options: CalibrationOptions,
): Promise<readonly ArrayLike<number>[]> {
  return readOtherWindows(name, open, options, undefined, Math.ceil(VERIFIED_POSITIONS / options.length));
}

async function readOtherWindows(
  name: string,
  open: OpenModel,
  options: CalibrationOptions,
  windows: number | undefined,
  usual: number,
) {
  const { windows: _, ...rest } = options;
  return (await readCalibration(name, open, { ...rest, ...(windows === undefined ? {} : { windows }) }, usual)).windows;
}

/** Whether there is calibration text for a model: given, or shipped with it. */
export function hasCalibration(name: string, options: CalibrationOptions): boolean {
  return options.tokenIds !== undefined || options.calibration !== undefined || shippedCalibration(name) !== undefined;
}

function shippedCalibration(name: string): string | undefined {
  const folder = embeddedFolder(name);
  const path = folder && join(folder, 'calibration.txt');
  return path && existsSync(path) ? path : undefined;
}

function calibrationFiles(name: string, files: readonly string[] | undefined): readonly string[] {
  if (files && files.length > 0) return files;
  const shipped = shippedCalibration(name);
  if (shipped) return [shipped];
  throw new UsageError(
    `${name} needs calibration text: give --calibration FILE (.txt, .raw, .md or JSON lines with a "text" field) or --token-ids FILE.`,
  );
}

/** One text from several files, joined by blank lines, and its source for records. */
export async function readText(paths: readonly string[]): Promise<{ readonly text: string; readonly source: string }> {
  const files = await Promise.all(paths.map(async (path) => ({ name: basename(path), bytes: await readBytes(path) })));
  return { text: joinTexts(files), source: paths.map((path) => basename(path)).join(' + ') };
}

/** A file's bytes; MissingError when it is not there. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new MissingError(`There is no file ${path}.`, { cause: error });
    if (code === 'EISDIR') throw new MissingError(`${path} is a folder; a file is needed.`, { cause: error });
    throw error;
  }
}
