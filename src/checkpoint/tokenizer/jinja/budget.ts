import { Namespace, TemplateLimitError, Tuple, type Value } from './values.ts';

/** Far above what conversations need: one of 100,000 words costs about 2 million units. */
const MOST_WORK = 20_000_000;
const LONGEST_TEXT = 1 << 21;
/** A step costs the interpreter about as much as looking at this many list entries. */
const STEP = 50;

/** Counts what a template costs, so that one that never ends, or makes texts or lists without end, stops in a TemplateLimitError. */
export class Budget {
  #work = 0;

  /** One step of the interpreter. */
  step(): void {
    this.#charge(STEP);
  }

  /** Asks before a text of that many characters is made. */
  length(characters: number): void {
    if (characters > LONGEST_TEXT)
      throw new TemplateLimitError(
        `it makes a text of ${characters} characters, more than the ${LONGEST_TEXT} allowed`,
      );
    this.#charge(characters >> 8);
  }

  /** Charges for all that a value holds, each time anew: whoever uses it next may walk through all of it. Shared parts count as often as they occur. */
  weigh(value: Value): void {
    if (typeof value === 'string') this.length(value.length);
    else if (Array.isArray(value)) this.#weighAll(value, value.length);
    else if (value instanceof Tuple) this.#weighAll(value.items, value.items.length);
    else if (value instanceof Map) this.#weighAll(value.values(), value.size);
    else if (value instanceof Namespace) this.#weighAll(value.fields.values(), value.fields.size);
  }

  #weighAll(values: Iterable<Value>, count: number): void {
    this.#charge(count);
    for (const each of values) this.weigh(each);
  }

  #charge(units: number): void {
    this.#work += units;
    if (this.#work > MOST_WORK) throw new TemplateLimitError(`it is not done after ${MOST_WORK / STEP} steps`);
  }
}
