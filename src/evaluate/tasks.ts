import { isRecord } from '../checkpoint/files/json.ts';
import { FileFormatError, UsageError } from '../errors.ts';
import { decode, type TextFile } from './text.ts';

/** One multiple-choice question as a tasks file has it. */
export interface TaskItem {
  /** What stands before each choice. */
  readonly query: string;
  /** Continuations, of which one is right. */
  readonly choices: readonly string[];
  /** Index of the right choice. */
  readonly gold: number;
}

/** A zero-shot task. The name decides how prompts are written: `promptFormat`. */
export interface Task {
  /** Of the file, without its ending. */
  readonly name: string;
  /** In the order of the file. */
  readonly items: readonly TaskItem[];
}

/**
 * A task from JSON lines with `query`, `choices` and `gold`; named after the file. `limit` takes the first so many items.
 * Throws FileFormatError naming the line that is wrong, UsageError for a file without items.
 */
export function readTask(file: TextFile, limit = Number.POSITIVE_INFINITY): Task {
  const items: TaskItem[] = [];
  for (const [index, line] of decode(file).split('\n').entries()) {
    if (items.length >= limit) break;
    if (line.trim() !== '') items.push(parseItem(line, `${file.name}, line ${index + 1}`));
  }
  if (items.length === 0)
    throw new UsageError(`${file.name} has no items; each line is an object with "query", "choices" and "gold".`);
  return { name: file.name.replace(/\.(jsonl|ndjson)$/i, ''), items };
}

function parseItem(line: string, where: string): TaskItem {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new FileFormatError(
      `${where}, is not valid JSON. Each line is an object with "query", "choices" and "gold".`,
      { cause },
    );
  }
  if (!isRecord(value) || typeof value.query !== 'string')
    throw new FileFormatError(`${where}, has no "query" that is a string.`);
  const { query, choices, gold } = value;
  if (
    !Array.isArray(choices) ||
    choices.length < 2 ||
    !choices.every((choice): choice is string => typeof choice === 'string')
  )
    throw new FileFormatError(`${where}: "choices" must be an array of at least 2 texts.`);
  if (typeof gold !== 'number' || !Number.isInteger(gold) || gold < 0 || gold >= choices.length)
    throw new FileFormatError(
      `${where}: "gold" is ${JSON.stringify(gold)}; it must be the index of the right choice, 0 to ${choices.length - 1}.`,
    );
  return { query, choices, gold };
}
