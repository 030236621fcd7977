import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../errors.ts';
import { type Calibration, calibrationOf, calibrationOfTokenIds, mixedCalibration } from '../library/calibration.ts';
import { embeddedFolder } from '../library/disk.ts';
import { VERIFIED_POSITIONS } from '../library/export.ts';
import type { OpenModel } from '../library/open-model.ts';
import type { LongRunning } from '../progress.ts';
import { readInput } from './input-file.ts';
import {
  type CalibrationOptions,
  DEFAULT_COMPENSATION_WINDOWS,
  DEFAULT_MEASURE_WINDOWS,
  DEFAULT_ROUNDING_WINDOWS,
  DEFAULT_WINDOWS,
} from './options.ts';
import { readTextIds, type TextIds } from './text-files.ts';

/**
 * Calibration windows from --token-ids, --calibration, or the embedded model's own text: as many as --windows says (UsageError where the text has
 * fewer), without it as many as there are up to `usual`. With both, half of them are drawn from the token ids.
 */
export async function readCalibration(
  name: string,
  open: OpenModel,
  options: CalibrationOptions,
  running: LongRunning = {},
  usual: number = DEFAULT_WINDOWS,
): Promise<Calibration> {
  const { seed, length, windows } = options;
  const own =
    options.tokenIds === undefined
      ? undefined
      : await calibrationOfTokenIds(await readInput(options.tokenIds), open.vocabulary, seed);
  if (own && !options.calibration) return own;
  const { ids, source, sha256 } = await idsOf(open, calibrationFiles(name, options.calibration), running);
  const text = { tokenIds: ids, source, sha256, length, seed };
  const asked = windows === undefined ? { most: usual } : { count: windows };
  return own ? mixedCalibration(own, text, asked) : calibrationOf(text, asked);
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
    `${name} needs calibration text: give --calibration FILE (.txt, .raw, .md or JSON lines with a "text" field) or --token-ids FILE. Where there is none, "espalier sample" lets the model write one.`,
  );
}
