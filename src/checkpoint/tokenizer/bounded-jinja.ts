import { Budget } from './jinja/budget.ts';
import { render } from './jinja/interpreter.ts';
import { type Node, parse } from './jinja/nodes.ts';
import { strftime } from './jinja/strftime.ts';
import { str } from './jinja/text.ts';
import {
  type Callable,
  fromData,
  itemsOf,
  Namespace,
  TemplateError,
  TemplateLimitError,
  text,
  type Value,
  wholeNumber,
} from './jinja/values.ts';

/** The longest of published models have 30,000 characters. */
const LONGEST_TEMPLATE = 1 << 18;
/** The library's reader takes quadratic time over white space. */
const LONGEST_BLANK = 1000;
const LONGEST_RANGE = 1 << 12;

/** What a template says through `raise_exception`. */
export class RaisedException extends Error {}

/** Parses a Jinja template. Throws TemplateLimitError for one that is too long, what the library throws for a broken one. */
export function parseTemplate(source: string): Node {
  if (source.length > LONGEST_TEMPLATE)
    throw new TemplateLimitError(`it has ${source.length} characters, more than the ${LONGEST_TEMPLATE} allowed`);
  if (new RegExp(`\\s{${LONGEST_BLANK}}`).test(source))
    throw new TemplateLimitError(`it has a run of more than ${LONGEST_BLANK} blanks`);
  return parse(source);
}

/**
 * Renders a template that comes with a model and is not to be trusted, as transformers does with jinja2: steps, texts and the contents of nested lists are
 * counted, so that endless loops, `range` of a billion and lists that contain each other end in TemplateLimitError. Throws RaisedException, TemplateError
 * or TemplateLackError besides.
 */
export function renderBounded(program: Node, variables: Readonly<Record<string, unknown>>, now: Date): string {
  const globals = new Map<string, Value>(Object.entries(variables).map(([name, value]) => [name, fromData(value)]));
  for (const [name, value] of constants(now)) globals.set(name, value);
  return render(program, globals, new Budget());
}

/** The names that Jinja and transformers give to every template. */
function constants(now: Date): [string, Value][] {
  const raise: Callable = ({ positional: [message] }) => {
    throw new RaisedException(str(message));
  };
  return [
    ['true', true],
    ['false', false],
    ['none', null],
    ['True', true],
    ['False', false],
    ['None', null],
    ['raise_exception', raise],
    ['range', ({ positional }) => boundedRange(positional)],
    ['strftime_now', ({ positional: [format] }) => strftime(now, text(format))],
    ['namespace', ({ positional: [source], named }) => new Namespace(new Map([...fieldsOf(source), ...named]))],
    ['dict', ({ positional: [source], named }) => new Map([...fieldsOf(source), ...named])],
  ];
}

/** The entries of a dictionary, or of a list of pairs. */
function fieldsOf(source: Value): [string, Value][] {
  if (source instanceof Map) return [...source].map(([name, value]) => [String(name), value]);
  return itemsOf(source).map((pair) => {
    const [name, value] = itemsOf(pair);
    return [text(name), value];
  });
}

function boundedRange(positional: readonly Value[]): Value[] {
  const numbers = positional.map((each) => wholeNumber(each, 0));
  const [start = 0, stop = 0, step = 1] = numbers.length === 1 ? [0, ...numbers] : numbers;
  if (step === 0) throw new TemplateError('range() takes a step that is not zero');
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length > LONGEST_RANGE)
    throw new TemplateLimitError(`it asks for a range of ${length} numbers, more than the ${LONGEST_RANGE} allowed`);
  return Array.from({ length }, (_, index) => start + index * step);
}
