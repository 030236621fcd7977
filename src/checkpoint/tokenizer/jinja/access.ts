import type { Budget } from './budget.ts';
import { stringMethod } from './string-methods.ts';
import {
  type Callable,
  type Dictionary,
  equals,
  itemsOf,
  Namespace,
  TemplateError,
  Tuple,
  typeName,
  type Value,
} from './values.ts';

/** `value.name`: a method or attribute first, then an item, as Jinja looks it up. Undefined where there is neither; throws TemplateError on an undefined value. */
export function attribute(value: Value, name: string, budget: Budget): Value {
  return method(value, name, budget) ?? item(value, name);
}

/** `value[key]`: an item first, then a method. Undefined where there is neither; throws TemplateError on an undefined value. */
export function subscript(value: Value, key: Value, budget: Budget): Value {
  const found = item(value, key);
  return found === undefined && typeof key === 'string' ? method(value, key, budget) : found;
}

function item(value: Value, key: Value): Value {
  if (value === undefined) throw new TemplateError(`a value is undefined, and so has no ${String(key)}`);
  if (value instanceof Map) return typeof key === 'string' || typeof key === 'number' ? value.get(key) : undefined;
  if (value instanceof Namespace) return typeof key === 'string' ? value.fields.get(key) : undefined;
  if (typeof key !== 'number') return undefined;
  if (typeof value === 'string' || Array.isArray(value) || value instanceof Tuple) return itemsOf(value).at(key);
  return undefined;
}

function method(value: Value, name: string, budget: Budget): Callable | undefined {
  if (typeof value === 'string') {
    const found = stringMethod(name);
    return found && ((args) => found(value, args, budget));
  }
  if (value instanceof Map) return dictionaryMethod(value, name);
  if (Array.isArray(value) || value instanceof Tuple) return listMethod(value, name);
  return undefined;
}

function dictionaryMethod(value: Dictionary, name: string): Callable | undefined {
  switch (name) {
    case 'get':
      return ({ positional: [key, otherwise] }) =>
        (typeof key === 'string' || typeof key === 'number' ? value.get(key) : undefined) ?? otherwise ?? null;
    case 'items':
      return () => [...value].map((entry) => new Tuple(entry));
    case 'keys':
      return () => [...value.keys()];
    case 'values':
      return () => [...value.values()];
    case 'copy':
      return () => new Map(value);
    default:
      return /^(clear|pop|popitem|setdefault|update)$/.test(name) ? () => refuseChange(value, name) : undefined;
  }
}

function listMethod(value: Value[] | Tuple, name: string): Callable | undefined {
  const items = itemsOf(value);
  switch (name) {
    case 'count':
      return ({ positional: [wanted] }) => items.filter((each) => equals(each, wanted)).length;
    case 'index':
      return ({ positional: [wanted] }) => {
        const place = items.findIndex((each) => equals(each, wanted));
        if (place < 0) throw new TemplateError('the value is not in the list');
        return place;
      };
    case 'copy':
      return () => [...items];
    default:
      return /^(append|clear|extend|insert|pop|remove|reverse|sort)$/.test(name)
        ? () => refuseChange(value, name)
        : undefined;
  }
}

/** Templates run in a sandbox in Python too. */
function refuseChange(value: Value, name: string): never {
  throw new TemplateError(`access to attribute '${name}' of '${typeName(value)}' object is unsafe`);
}

/** `value[start:stop:step]`. Throws TemplateError for what has no slices. */
export function slice(value: Value, start: Value, stop: Value, step: Value): Value {
  const stride = typeof step === 'number' ? step : 1;
  if (stride === 0) throw new TemplateError('slice step cannot be zero');
  if (value === undefined || value === null || value instanceof Map)
    throw new TemplateError(`'${typeName(value)}' object has no slices`);
  const items = itemsOf(value);
  const place = (bound: Value, otherwise: number): number => {
    if (typeof bound !== 'number') return otherwise;
    const least = stride < 0 ? -1 : 0;
    const most = stride < 0 ? items.length - 1 : items.length;
    return Math.max(least, Math.min(most, bound < 0 ? bound + items.length : bound));
  };
  const from = place(start, stride < 0 ? items.length - 1 : 0);
  const to = place(stop, stride < 0 ? -1 : items.length);
  const taken: Value[] = [];
  for (let index = from; stride < 0 ? index > to : index < to; index += stride) taken.push(items[index]);
  if (typeof value === 'string') return taken.join('');
  return value instanceof Tuple ? new Tuple(taken) : taken;
}

/** An attribute path of a filter: `a.b.0`, or a whole number. */
export function path(value: Value, name: Value, budget: Budget): Value {
  if (typeof name === 'number') return subscript(value, name, budget);
  return String(name)
    .split('.')
    .reduce<Value>((current, key) => subscript(current, /^\d+$/.test(key) ? Number(key) : key, budget), value);
}
