import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { sha256OfBytes } from '../checkpoint/files/sha256.ts';
import { embeddedFolder } from '../checkpoint/local.ts';
import { MissingError, UsageError } from '../errors.ts';
import { readTokenIds } from '../evaluate/text.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import { VERIFIED_POSITIONS } from '../export/verification-windows.ts';
import type { OpenModel } from '../library/open-model.ts';
import type { LongRunning } from '../progress.ts';
import {
  type CalibrationOptions,
  DEFAULT_COMPENSATION_WINDOWS,
  DEFAULT_MEASURE_WINDOWS,
  DEFAULT_ROUNDING_WINDOWS,
  DEFAULT_WINDOWS,
} from './options.ts';
import { readTextIds, type TextIds } from './text-files.ts';

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
  running: LongRunning = {},
  usual: number = DEFAULT_WINDOWS,
): Promise<Calibration> {
  const { seed } = options;
  if (options.tokenIds !== undefined) {
    const bytes = await readBytes(options.tokenIds);
    const windows = readTokenIds({ name: basename(options.tokenIds), bytes }, open.config.vocabulary);
    return { windows, calibration: { source: basename(options.tokenIds), sha256: await sha256OfBytes(bytes), seed } };
  }
  const { ids, source, sha256 } = await idsOf(open, calibrationFiles(name, options.calibration), running);
  const count = options.windows ?? Math.max(1, Math.min(usual, Math.floor(ids.length / options.length)));
  const windows = tokenWindows(ids, { length: options.length, count, seed });
  return { windows, calibration: { source, sha256, seed } };
}

const known = new WeakMap<OpenModel, Map<string, Promise<TextIds>>>();

/** Token ids of files, which one command may ask for several times: of a large text they are made once. */
function idsOf(open: OpenModel, paths: readonly string[], running: LongRunning): Promise<TextIds> {
  const ofModel = known.get(open) ?? new Map<string, Promise<TextIds>>();
  known.set(open, ofModel);
  const key = JSON.stringify(paths);
  const ids = ofModel.get(key) ?? open.tokenizer().then((tokenizer) => readTextIds(paths, tokenizer, running));
  ofModel.set(key, ids);
  ids.catch(() => ofModel.delete(key));
  return ids;
}

/** Windows that compensation learns from: more than scoring needs are good. */
export async function readCompensationWindows(
  name: string,
  open: OpenModel,
  options: CalibrationOptions & { readonly compensationWindows?: number },
  running: LongRunning = {},
): Promise<readonly ArrayLike<number>[]> {
  return readOtherWindows(name, open, options, options.compensationWindows, DEFAULT_COMPENSATION_WINDOWS, running);
}

/** Windows that GPTQ learns from. */
export async function readRoundingWindows(
  name: string,
  open: OpenModel,
  options: CalibrationOptions & { readonly roundingWindows?: number },
  running: LongRunning = {},
): Promise<readonly ArrayLike<number>[]> {
  return readOtherWindows(name, open, options, options.roundingWindows, DEFAULT_ROUNDING_WINDOWS, running);
}

/** Windows that the search "measured" compares plans on: drawn by another seed than those that were scored. */
export async function readMeasureWindows(
  name: string,
  open: OpenModel,
  options: CalibrationOptions & { readonly measureWindows?: number },
  running: LongRunning = {},
): Promise<readonly ArrayLike<number>[]> {
  return readOtherWindows(
    name,
    open,
    { ...options, seed: options.seed + 1 },
    options.measureWindows,
    DEFAULT_MEASURE_WINDOWS,
    running,
  );
}

/** A few windows of real text, on which an export is compared with the block programs. */
export async function readVerificationWindows(
  name: string,
  open: OpenModel,
  options: CalibrationOptions,
  running: LongRunning = {},
): Promise<readonly ArrayLike<number>[]> {
  return readOtherWindows(name, open, options, undefined, Math.ceil(VERIFIED_POSITIONS / options.length), running);
}

async function readOtherWindows(
  name: string,
  open: OpenModel,
  options: CalibrationOptions,
  windows: number | undefined,
  usual: number,
  running: LongRunning,
) {
  const { windows: _, ...rest } = options;
  const chosen = { ...rest, ...(windows === undefined ? {} : { windows }) };
  return (await readCalibration(name, open, chosen, running, usual)).windows;
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

/** A file's bytes; MissingError when it is not there. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new MissingError(`There is no file ${path}.`, { cause: error });
    if (code === 'ERR_FS_FILE_TOO_LARGE')
      throw new UsageError(`${path} has more than 2 GB, which is more than is read at once. Split it.`, {
        cause: error,
      });
    if (code === 'EISDIR') throw new MissingError(`${path} is a folder; a file is needed.`, { cause: error });
    throw error;
  }
}
