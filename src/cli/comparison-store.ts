import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { FileFormatError, MismatchError } from '../errors.ts';
import { cellKey } from '../library/comparison/compare.ts';
import type { ComparisonRow } from '../library/comparison/types.ts';
import { writeWhole } from './write-file.ts';

/** What a comparison was made with; cells of another setting are not mixed in. */
export interface ComparisonSetting {
  readonly model: { readonly name: string; readonly sha256: string };
  readonly calibration: {
    readonly source: string;
    readonly sha256: string;
    readonly windows: number;
    readonly length: number;
    readonly compensationWindows: number;
  };
  /** What scores are the gradient of; absent: cross-entropy with the text. */
  readonly objective?: { readonly kind: string; readonly draws?: number };
  readonly texts: readonly {
    readonly name: string;
    readonly sha256: string;
    readonly window: number;
    readonly tokens: number;
  }[];
  readonly tasks?: readonly { readonly name: string; readonly sha256: string; readonly items: number }[];
  /** Of methods with recovery; cells without it do not depend on it, so that it may come later. */
  readonly recovery?: {
    readonly data: readonly string[];
    readonly windows: number;
    /** Of all training and held-out windows. */
    readonly sha256: string;
    readonly settings: Readonly<Record<string, unknown>>;
  };
  readonly version: string;
}

interface StoredComparison {
  readonly format: 'espalier-comparison/1';
  readonly setting: ComparisonSetting;
  readonly rows: readonly ComparisonRow[];
}

/** The JSON file of a comparison, written anew after every cell, so that an interrupted run goes on where it stopped. */
export class ComparisonStore {
  readonly path: string;
  readonly setting: ComparisonSetting;
  readonly rows: Map<string, ComparisonRow>;

  private constructor(path: string, setting: ComparisonSetting, rows: Map<string, ComparisonRow>) {
    this.path = path;
    this.setting = setting;
    this.rows = rows;
  }

  /** Takes up a file of the same setting, or starts a new one. Throws MismatchError for a file of another setting. */
  static async open(path: string, setting: ComparisonSetting): Promise<ComparisonStore> {
    if (!existsSync(path)) return new ComparisonStore(path, setting, new Map());
    const stored = parse(await readFile(path, 'utf8'), path);
    const { recovery: before, ...storedRest } = stored.setting;
    const { recovery, ...rest } = setting;
    if (
      JSON.stringify(storedRest) !== JSON.stringify(rest) ||
      (before && recovery && JSON.stringify(before) !== JSON.stringify(recovery))
    ) {
      throw new MismatchError(
        `${path} holds a comparison with another model, calibration, text, tasks, training or version; give another --output or remove the file.`,
      );
    }
    const trained = recovery ?? before;
    return new ComparisonStore(
      path,
      { ...setting, ...(trained && { recovery: trained }) },
      new Map(stored.rows.map((row) => [cellKey(row.method, row.ratio, row.seed), row])),
    );
  }

  async add(key: string, row: ComparisonRow): Promise<void> {
    this.rows.set(key, row);
    const document: StoredComparison = {
      format: 'espalier-comparison/1',
      setting: this.setting,
      rows: [...this.rows.values()],
    };
    await writeWhole(this.path, `${JSON.stringify(document, null, 1)}\n`);
  }
}

function parse(text: string, path: string): StoredComparison {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FileFormatError(`${path} is not JSON; give another --output or remove the file.`, { cause: error });
  }
  const stored = value as StoredComparison;
  if (stored?.format !== 'espalier-comparison/1' || !Array.isArray(stored.rows))
    throw new FileFormatError(`${path} is not a comparison of this version; give another --output.`);
  return stored;
}
