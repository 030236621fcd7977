import { type Environment, Interpreter, Template } from '@huggingface/jinja';

type Statement = Parameters<Interpreter['evaluate']>[0];
type RuntimeValue = ReturnType<Interpreter['evaluate']>;

/** Far above what templates of published models need: the longest have 30,000 characters, and a conversation of 100,000 words costs about 2 million units. */
const LONGEST_TEMPLATE = 1 << 18;
/** The library's reader takes quadratic time over white space. */
const LONGEST_BLANK = 1000;
const LONGEST_TEXT = 1 << 21;
const LONGEST_RANGE = 1 << 12;
const MOST_WORK = 20_000_000;
/** A step costs the interpreter about as much as looking at this many list entries. */
const STEP = 50;

/** A template that asks for more than any conversation needs. */
export class TemplateLimitError extends Error {}

/** Parses a Jinja template. Throws TemplateLimitError for one that is too long, what the library throws for a broken one. */
export function parseTemplate(source: string): Template {
  if (source.length > LONGEST_TEMPLATE)
    throw new TemplateLimitError(`it has ${source.length} characters, more than the ${LONGEST_TEMPLATE} allowed`);
  if (new RegExp(`\\s{${LONGEST_BLANK}}`).test(source))
    throw new TemplateLimitError(`it has a run of more than ${LONGEST_BLANK} blanks`);
  return new Template(source);
}

/**
 * Renders a template that comes with a model and is not to be trusted: steps, texts and the contents of nested lists are counted, so that
 * endless loops, `range` of a billion and lists that contain each other end in TemplateLimitError.
 */
export function renderBounded({ parsed }: Template, variables: Readonly<Record<string, unknown>>): string {
  const interpreter = new BoundedInterpreter();
  setUpGlobals(interpreter.global);
  for (const [name, value] of Object.entries(variables)) interpreter.global.set(name, value);
  return String(interpreter.run(parsed).value);
}

/** What the library gives to templates, with a `range` that ends. */
function setUpGlobals(environment: Environment): void {
  for (const [name, value] of [
    ['true', true],
    ['false', false],
    ['none', null],
  ] as const) {
    environment.set(name, value);
    environment.set(`${name[0]?.toUpperCase()}${name.slice(1)}`, value);
  }
  environment.set('raise_exception', (message: unknown) => {
    throw new Error(String(message));
  });
  environment.set('range', boundedRange);
  environment.set('strftime_now', (format: unknown) =>
    new Template('{{ strftime_now(format) }}').render({ format: String(format) }),
  );
}

function boundedRange(first: unknown, second?: unknown, step: unknown = 1): number[] {
  const [start, stop] = second === undefined || second === null ? [0, first] : [first, second];
  if (![start, stop, step].every((value) => Number.isSafeInteger(value)) || step === 0)
    throw new Error('range() takes whole numbers and a step that is not zero');
  const length = Math.max(0, Math.ceil(((stop as number) - (start as number)) / (step as number)));
  if (length > LONGEST_RANGE)
    throw new TemplateLimitError(`it asks for a range of ${length} numbers, more than the ${LONGEST_RANGE} allowed`);
  return Array.from({ length }, (_, index) => (start as number) + index * (step as number));
}

class BoundedInterpreter extends Interpreter {
  #work = 0;

  override evaluate(statement: Statement, environment: Environment): RuntimeValue {
    this.#charge(STEP);
    const value = super.evaluate(statement, environment);
    this.#weigh(value);
    return value;
  }

  #charge(units: number): void {
    this.#work += units;
    if (this.#work > MOST_WORK) throw new TemplateLimitError(`it is not done after ${MOST_WORK / STEP} steps`);
  }

  /** Charges for all that a value holds, each time anew: whoever uses it next may walk through all of it. Shared parts count as often as they occur. */
  #weigh(value: unknown): void {
    const contents = isRuntimeValue(value) ? value.value : value;
    if (typeof contents === 'string') {
      if (contents.length > LONGEST_TEXT)
        throw new TemplateLimitError(
          `it makes a text of ${contents.length} characters, more than the ${LONGEST_TEXT} allowed`,
        );
      this.#charge(contents.length >> 8);
    } else if (Array.isArray(contents)) {
      this.#charge(contents.length);
      for (const each of contents as unknown[]) this.#weigh(each);
    } else if (contents instanceof Map) {
      this.#charge(contents.size);
      for (const each of contents.values()) this.#weigh(each);
    }
  }
}

function isRuntimeValue(value: unknown): value is { readonly value: unknown } {
  return typeof value === 'object' && value !== null && 'value' in value;
}
