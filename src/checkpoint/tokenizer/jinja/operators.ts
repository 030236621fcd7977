import type { Budget } from './budget.ts';
import { floatText, repr, str } from './text.ts';
import {
  compare,
  equals,
  Float,
  itemsOf,
  numeric,
  TemplateError,
  TemplateLackError,
  Tuple,
  text,
  typeName,
  type Value,
} from './values.ts';

/** What a binary operator of Jinja makes, as Python does; `and` and `or` are the interpreter's. Throws TemplateError as Python raises. */
export function operate(operator: string, left: Value, right: Value, budget: Budget): Value {
  switch (operator) {
    case '==':
      return equals(left, right);
    case '!=':
      return !equals(left, right);
    case 'in':
      return contains(right, left);
    case 'not in':
      return !contains(right, left);
    case '~':
      budget.length(str(left).length + str(right).length);
      return str(left) + str(right);
    case '<':
      return compare(left, right) < 0;
    case '>':
      return compare(left, right) > 0;
    case '<=':
      return compare(left, right) <= 0;
    case '>=':
      return compare(left, right) >= 0;
    default:
      return arithmetic(operator, left, right, budget);
  }
}

export function contains(container: Value, item: Value): boolean {
  if (container instanceof Map)
    return typeof item === 'string' || typeof item === 'number' ? container.has(item) : false;
  if (typeof container === 'string') return container.includes(text(item));
  return itemsOf(container).some((each) => equals(each, item));
}

function arithmetic(operator: string, left: Value, right: Value, budget: Budget): Value {
  const [a, b] = [numeric(left), numeric(right)];
  if (a !== undefined && b !== undefined) {
    const result = ofNumbers(operator, a, b);
    const isFloat = left instanceof Float || right instanceof Float || operator === '/' || (operator === '**' && b < 0);
    return isFloat ? new Float(result) : result;
  }
  if (operator === '+') {
    if (typeof left === 'string' && typeof right === 'string') {
      budget.length(left.length + right.length);
      return left + right;
    }
    if (Array.isArray(left) && Array.isArray(right)) return [...left, ...right];
    if (left instanceof Tuple && right instanceof Tuple) return new Tuple([...left.items, ...right.items]);
  }
  if (operator === '*' && b !== undefined) return repeated(left, b, budget);
  if (operator === '*' && a !== undefined) return repeated(right, a, budget);
  if (operator === '%' && typeof left === 'string')
    return percentFormat(left, right instanceof Tuple ? right.items : [right], budget);
  if (left === undefined || right === undefined) throw new TemplateError('a value is undefined');
  throw new TemplateError(`unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`);
}

function ofNumbers(operator: string, a: number, b: number): number {
  if (b === 0 && /^(\/|\/\/|%)$/.test(operator)) throw new TemplateError('division by zero');
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '//':
      return Math.floor(a / b);
    case '%':
      return a - b * Math.floor(a / b);
    case '**':
      return a ** b;
    default:
      throw new TemplateLackError(`the operator ${operator}`);
  }
}

function repeated(value: Value, times: number, budget: Budget): Value {
  const count = Math.max(0, times);
  if (typeof value === 'string') {
    budget.length(value.length * count);
    return value.repeat(count);
  }
  if (Array.isArray(value)) {
    budget.length(value.length * count);
    return Array.from({ length: count }, () => value).flat();
  }
  throw new TemplateError(`can't multiply sequence by non-int of type '${typeName(value)}'`);
}

/** `'%s and %d' % (…)`. */
export function percentFormat(format: string, args: readonly Value[], budget: Budget): string {
  let next = 0;
  const result = format.replace(
    /%([-0 +]*)(\d*)(?:\.(\d+))?([a-zA-Z%])/g,
    (_, flags: string, width: string, digits: string | undefined, kind: string) => {
      if (kind === '%') return '%';
      if (next >= args.length) throw new TemplateError('not enough arguments for format string');
      const value = args[next++];
      const shown = formatted(kind, value, digits === undefined ? undefined : Number(digits));
      const signed = flags.includes('+') && /^\d/.test(shown) ? `+${shown}` : shown;
      const room = Number(width || 0);
      budget.length(room);
      if (flags.includes('-')) return signed.padEnd(room);
      return flags.includes('0') ? signed.padStart(room, '0') : signed.padStart(room);
    },
  );
  if (next < args.length && !(args.length === 1 && args[0] instanceof Map))
    throw new TemplateError('not all arguments converted during string formatting');
  return result;
}

function formatted(kind: string, value: Value, digits: number | undefined): string {
  if (kind === 's') return digits === undefined ? str(value) : [...str(value)].slice(0, digits).join('');
  if (kind === 'r') return repr(value);
  const number = numeric(value);
  if (number === undefined) throw new TemplateError(`%${kind} format: a number is required, not ${typeName(value)}`);
  if (kind === 'd' || kind === 'i') return String(Math.trunc(number));
  if (kind === 'f') return number.toFixed(digits ?? 6);
  if (kind === 'x') return Math.trunc(number).toString(16);
  if (kind === 'g') return floatText(Number(number.toPrecision(digits ?? 6))).replace(/\.0$/, '');
  throw new TemplateLackError(`the format %${kind}`);
}
