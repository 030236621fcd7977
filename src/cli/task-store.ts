import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isRecord } from '../checkpoint/files/json.ts';
import { FileFormatError, MismatchError } from '../errors.ts';
import type { TaskItemResult } from '../library/tasks.ts';
import { writeWhole } from './write-file.ts';

/** What the items were scored with; items of another setting are not mixed in. */
export interface TaskSetting {
  readonly model: { readonly name: string; readonly sha256: string };
  readonly tasks: readonly { readonly name: string; readonly sha256: string }[];
  readonly version: string;
}

/** Milliseconds between two writes; the last one is always written. */
const WRITE_EVERY = 5000;

type Items = Map<number, readonly number[]>;

/** The JSON file of finished items with their log-likelihoods, kept while the work goes on, so that an interrupted run goes on from it. */
export class TaskStore {
  readonly path: string;
  readonly setting: TaskSetting;
  readonly finished: Map<string, Items>;
  #written = performance.now();
  #dirty = false;

  private constructor(path: string, setting: TaskSetting, finished: Map<string, Items>) {
    this.path = path;
    this.setting = setting;
    this.finished = finished;
  }

  /** Takes up a file of the same setting, or starts a new one. Throws MismatchError for a file of another setting, FileFormatError for another file. */
  static async open(path: string, setting: TaskSetting): Promise<TaskStore> {
    if (!existsSync(path)) return new TaskStore(path, setting, new Map());
    const stored = parse(await readFile(path, 'utf8'), path);
    if (JSON.stringify(stored.setting) !== JSON.stringify(setting))
      throw new MismatchError(
        `${path} holds results of another model, other tasks or another version; give another --output or remove the file.`,
      );
    return new TaskStore(path, setting, stored.finished);
  }

  get items(): number {
    return [...this.finished.values()].reduce((sum, { size }) => sum + size, 0);
  }

  async add(task: string, items: readonly TaskItemResult[]): Promise<void> {
    const known = this.finished.get(task) ?? new Map<number, readonly number[]>();
    for (const { item, logLikelihoods } of items) known.set(item, logLikelihoods);
    this.finished.set(task, known);
    this.#dirty = true;
    if (performance.now() - this.#written > WRITE_EVERY) await this.write();
  }

  /** Writes what is not on disk yet. `results` go into the file of a finished run. */
  async write(results?: unknown): Promise<void> {
    if (!this.#dirty && results === undefined) return;
    const items = Object.fromEntries(
      [...this.finished].map(([task, found]) => [task, Object.fromEntries([...found].sort(([a], [b]) => a - b))]),
    );
    const document = {
      format: 'espalier-task-results/1',
      setting: this.setting,
      ...(results === undefined ? {} : { results }),
      logLikelihoods: items,
    };
    await writeWhole(this.path, `${JSON.stringify(document)}\n`);
    this.#dirty = false;
    this.#written = performance.now();
  }
}

function parse(text: string, path: string): { readonly setting: unknown; readonly finished: Map<string, Items> } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FileFormatError(`${path} is not JSON; give another --output or remove the file.`, { cause });
  }
  if (!isRecord(value) || value.format !== 'espalier-task-results/1' || !isRecord(value.logLikelihoods))
    throw new FileFormatError(`${path} does not hold task results of this version; give another --output.`);
  const finished = new Map<string, Items>();
  for (const [task, items] of Object.entries(value.logLikelihoods)) {
    if (!isRecord(items))
      throw new FileFormatError(`${path}: the results of ${task} are not an object; remove the file.`);
    finished.set(
      task,
      new Map(
        Object.entries(items).map(([item, values]) => [
          Number(item),
          numbers(values, `${path}: item ${item} of ${task}`),
        ]),
      ),
    );
  }
  return { setting: value.setting, finished };
}

/** JSON writes what is no finite number as null. */
function numbers(values: unknown, what: string): number[] {
  if (!Array.isArray(values)) throw new FileFormatError(`${what} is not an array of log-likelihoods; remove the file.`);
  return values.map((value: unknown) => {
    if (value === null) return Number.NaN;
    if (typeof value === 'number') return value;
    throw new FileFormatError(`${what} has a log-likelihood that is not a number; remove the file.`);
  });
}
