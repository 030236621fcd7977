import { attribute, slice, subscript } from './access.ts';
import type { Budget } from './budget.ts';
import { filterNamed } from './filters.ts';
import type { Call, Name, Node } from './nodes.ts';
import { operate } from './operators.ts';
import { testNamed } from './tests.ts';
import { str } from './text.ts';
import {
  type Arguments,
  type Callable,
  type Dictionary,
  Float,
  isTrue,
  itemsOf,
  Namespace,
  numeric,
  TemplateError,
  TemplateLackError,
  Tuple,
  typeName,
  type Value,
} from './values.ts';

/** Names that are visible at a place of a template: an inner scope sees the outer one and does not change it. */
class Scope {
  readonly #names = new Map<string, Value>();
  readonly #outer: Scope | undefined;
  constructor(outer?: Scope) {
    this.#outer = outer;
  }
  get(name: string): Value {
    return this.#names.has(name) ? this.#names.get(name) : this.#outer?.get(name);
  }
  set(name: string, value: Value): void {
    this.#names.set(name, value);
  }
}

class BreakLoop extends Error {}
class ContinueLoop extends Error {}

/** What a template has written so far. */
class Output {
  readonly #parts: string[] = [];
  readonly #budget: Budget;
  #length = 0;
  constructor(budget: Budget) {
    this.#budget = budget;
  }
  write(text: string): void {
    this.#length += text.length;
    this.#budget.length(this.#length);
    this.#parts.push(text);
  }
  text(): string {
    return this.#parts.join('');
  }
}

/** Renders a parsed template as Jinja does. Throws TemplateError as Python raises, TemplateLackError for what is not here, TemplateLimitError from the budget. */
export function render(program: Node, globals: ReadonlyMap<string, Value>, budget: Budget): string {
  const scope = new Scope();
  for (const [name, value] of globals) scope.set(name, value);
  return new Interpreter(budget).text(program.type === 'Program' ? program.body : [], new Scope(scope));
}

class Interpreter {
  readonly #budget: Budget;
  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** The text of statements and expressions in a row. */
  text(nodes: readonly Node[], scope: Scope): string {
    const output = new Output(this.#budget);
    this.#block(nodes, scope, output);
    return output.text();
  }

  #block(nodes: readonly Node[], scope: Scope, output: Output): void {
    for (const node of nodes) this.#statement(node, scope, output);
  }

  #statement(node: Node, scope: Scope, output: Output): void {
    this.#budget.step();
    switch (node.type) {
      case 'Comment':
        return;
      case 'If':
        this.#block(isTrue(this.value(node.test, scope)) ? node.body : node.alternate, scope, output);
        return;
      case 'For':
        this.#loop(node, scope, output);
        return;
      case 'Set': {
        const value = node.value ? this.value(node.value, scope) : this.text(node.body, new Scope(scope));
        this.#assign(node.assignee, value, scope);
        return;
      }
      case 'Macro':
        scope.set(node.name.value, this.#macro(node.name.value, node.args, node.body, scope));
        return;
      case 'CallStatement': {
        const caller = this.#macro('caller', node.callerArgs ?? [], node.body, scope);
        const { positional, named } = this.#arguments(node.call.args, scope);
        const args = { positional, named: new Map([...named, ['caller', caller] as const]) };
        output.write(str(this.#call(node.call.callee, args, scope)));
        return;
      }
      case 'FilterStatement':
        output.write(str(this.#filtered(this.text(node.body, new Scope(scope)), node.filter, scope)));
        return;
      case 'Break':
        throw new BreakLoop();
      case 'Continue':
        throw new ContinueLoop();
      default:
        output.write(str(this.value(node, scope)));
    }
  }

  /** The value of an expression. */
  value(node: Node, scope: Scope): Value {
    this.#budget.step();
    const value = this.#expression(node, scope);
    this.#budget.weigh(value);
    return value;
  }

  #expression(node: Node, scope: Scope): Value {
    switch (node.type) {
      case 'StringLiteral':
      case 'IntegerLiteral':
        return node.value;
      case 'FloatLiteral':
        return new Float(node.value);
      case 'ArrayLiteral':
        return node.value.map((each) => this.value(each, scope));
      case 'TupleLiteral':
        return new Tuple(node.value.map((each) => this.value(each, scope)));
      case 'ObjectLiteral':
        return this.#dictionary(node.value, scope);
      case 'Identifier':
        return scope.get(node.value);
      case 'MemberExpression':
        return this.#member(node, scope);
      case 'CallExpression':
        return this.#call(node.callee, this.#arguments(node.args, scope), scope);
      case 'FilterExpression':
        return this.#filtered(this.value(node.operand, scope), node.filter, scope);
      case 'TestExpression':
        return testNamed(node.test.value)(this.value(node.operand, scope), undefined) !== node.negate;
      case 'UnaryExpression':
        return this.#unary(node.operator.value, this.value(node.argument, scope));
      case 'BinaryExpression':
        return this.#binary(node.operator.value, node.left, node.right, scope);
      case 'Ternary':
        return this.value(isTrue(this.value(node.condition, scope)) ? node.trueExpr : node.falseExpr, scope);
      case 'SelectExpression':
        return isTrue(this.value(node.test, scope)) ? this.value(node.lhs, scope) : undefined;
      default:
        throw new TemplateLackError(`the expression ${node.type}`);
    }
  }

  #dictionary(entries: ReadonlyMap<Node, Node>, scope: Scope): Dictionary {
    const result: Dictionary = new Map();
    for (const [keyNode, valueNode] of entries) {
      const key = this.value(keyNode, scope);
      if (typeof key !== 'string' && typeof key !== 'number')
        throw new TemplateLackError(`a dictionary key of type '${typeName(key)}'`);
      result.set(key, this.value(valueNode, scope));
    }
    return result;
  }

  #member(node: Extract<Node, { type: 'MemberExpression' }>, scope: Scope): Value {
    const object = this.value(node.object, scope);
    const { property } = node;
    if (object === undefined) throw new TemplateError(`${nameOf(node.object)} is undefined`);
    if (property.type === 'SliceExpression') {
      const [start, stop, step] = [property.start, property.stop, property.step].map((bound) =>
        bound ? this.value(bound, scope) : undefined,
      );
      return slice(object, start, stop, step);
    }
    if (node.computed) return subscript(object, this.value(property, scope), this.#budget);
    return property.type === 'Identifier'
      ? attribute(object, property.value, this.#budget)
      : subscript(object, this.value(property, scope), this.#budget);
  }

  #call(callee: Node, args: Arguments, scope: Scope): Value {
    const called = this.value(callee, scope);
    if (typeof called === 'function') return called(args);
    if (called !== undefined) throw new TemplateError(`'${typeName(called)}' object is not callable`);
    throw new TemplateError(`${nameOf(callee)} is undefined`);
  }

  #arguments(nodes: readonly Node[], scope: Scope): Arguments {
    const positional: Value[] = [];
    const named = new Map<string, Value>();
    for (const node of nodes) {
      if (node.type === 'KeywordArgumentExpression') named.set(node.key.value, this.value(node.value, scope));
      else if (node.type === 'SpreadExpression') positional.push(...itemsOf(this.value(node.argument, scope)));
      else if (node.type === 'KeywordSpreadExpression') {
        const spread = this.value(node.argument, scope);
        if (!(spread instanceof Map)) throw new TemplateError('argument after ** must be a mapping');
        for (const [name, value] of spread) named.set(String(name), value);
      } else positional.push(this.value(node, scope));
    }
    return { positional, named };
  }

  #filtered(value: Value, filter: Name | Call, scope: Scope): Value {
    const name = filter.type === 'Identifier' ? filter : filter.callee;
    if (name.type !== 'Identifier') throw new TemplateLackError(`a filter that is a ${name.type}`);
    const args =
      filter.type === 'Identifier' ? { positional: [], named: new Map() } : this.#arguments(filter.args, scope);
    return filterNamed(name.value)(value, args, this.#budget);
  }

  #unary(operator: string, value: Value): Value {
    if (operator === 'not') return !isTrue(value);
    const number = numeric(value);
    if (number === undefined) throw new TemplateError(`bad operand type for unary ${operator}: '${typeName(value)}'`);
    const signed = operator === '-' ? -number : number;
    return value instanceof Float ? new Float(signed) : signed;
  }

  #binary(operator: string, leftNode: Node, rightNode: Node, scope: Scope): Value {
    const left = this.value(leftNode, scope);
    if (operator === 'and') return isTrue(left) ? this.value(rightNode, scope) : left;
    if (operator === 'or') return isTrue(left) ? left : this.value(rightNode, scope);
    return operate(operator, left, this.value(rightNode, scope), this.#budget);
  }

  #loop(node: Extract<Node, { type: 'For' }>, scope: Scope, output: Output): void {
    const { iterable } = node;
    const filter = iterable.type === 'SelectExpression' ? iterable : undefined;
    const all = itemsOf(this.value(filter?.lhs ?? iterable, scope));
    const items = filter
      ? all.filter((item) => {
          const inner = new Scope(scope);
          this.#assign(node.loopvar, item, inner);
          return isTrue(this.value(filter.test, inner));
        })
      : all;
    if (items.length === 0) this.#block(node.defaultBlock, scope, output);
    for (const [index, item] of items.entries()) {
      const inner = new Scope(scope);
      inner.set('loop', loopFields(items, index));
      this.#assign(node.loopvar, item, inner);
      try {
        this.#block(node.body, inner, output);
      } catch (stopped) {
        if (stopped instanceof BreakLoop) return;
        if (!(stopped instanceof ContinueLoop)) throw stopped;
      }
    }
  }

  #assign(target: Node, value: Value, scope: Scope): void {
    if (target.type === 'Identifier') scope.set(target.value, value);
    else if (target.type === 'TupleLiteral') {
      const items = itemsOf(value);
      if (items.length !== target.value.length)
        throw new TemplateError(`${target.value.length} values to unpack were expected, and there are ${items.length}`);
      for (const [index, each] of target.value.entries()) this.#assign(each, items[index], scope);
    } else if (target.type === 'MemberExpression' && target.property.type === 'Identifier' && !target.computed) {
      const object = this.value(target.object, scope);
      if (!(object instanceof Namespace)) throw new TemplateError('cannot assign attribute on non-namespace object');
      object.fields.set(target.property.value, value);
    } else throw new TemplateLackError(`an assignment to ${target.type}`);
  }

  /** A macro sees the names of the place where it is written, not of the place that calls it. */
  #macro(name: string, parameters: readonly Node[], body: readonly Node[], scope: Scope): Callable {
    return ({ positional, named }) => {
      const inner = new Scope(scope);
      const left = new Map(named);
      if (left.has('caller')) inner.set('caller', left.get('caller'));
      left.delete('caller');
      for (const [index, parameter] of parameters.entries()) {
        const key = parameter.type === 'KeywordArgumentExpression' ? parameter.key.value : nameOf(parameter);
        const given = index < positional.length ? positional[index] : left.get(key);
        const isGiven = index < positional.length || left.delete(key);
        const otherwise = parameter.type === 'KeywordArgumentExpression' ? parameter.value : undefined;
        inner.set(key, !isGiven && otherwise ? this.value(otherwise, inner) : given);
      }
      const rest = positional.slice(parameters.length);
      const uses = namesIn(body);
      if (rest.length > 0 && !uses.has('varargs'))
        throw new TemplateError(`macro '${name}' takes not more than ${parameters.length} argument(s)`);
      if (left.size > 0 && !uses.has('kwargs'))
        throw new TemplateError(`macro '${name}' takes no keyword argument '${[...left.keys()][0]}'`);
      if (uses.has('varargs')) inner.set('varargs', new Tuple(rest));
      if (uses.has('kwargs')) inner.set('kwargs', new Map(left));
      return this.text(body, inner);
    };
  }
}

function loopFields(items: readonly Value[], index: number): Namespace {
  const cycle: Callable = ({ positional }) => positional[index % Math.max(1, positional.length)];
  return new Namespace(
    new Map<string, Value>([
      ['index', index + 1],
      ['index0', index],
      ['revindex', items.length - index],
      ['revindex0', items.length - index - 1],
      ['first', index === 0],
      ['last', index === items.length - 1],
      ['length', items.length],
      ['previtem', items[index - 1]],
      ['nextitem', items[index + 1]],
      ['depth', 1],
      ['depth0', 0],
      ['cycle', cycle],
    ]),
  );
}

/** How an expression is called in a message. */
function nameOf(node: Node): string {
  if (node.type === 'Identifier') return node.value;
  if (node.type !== 'MemberExpression') return 'a value';
  const { property } = node;
  const key = property.type === 'Identifier' || property.type === 'StringLiteral' ? property.value : '…';
  return `${nameOf(node.object)}.${key}`;
}

/** Which of the names that Jinja gives to macros a body mentions. */
function namesIn(value: unknown, found = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(value)) for (const each of value as unknown[]) namesIn(each, found);
  else if (value instanceof Map) namesIn([...(value as Map<unknown, unknown>)].flat(), found);
  else if (typeof value === 'object' && value !== null) {
    if ('type' in value && value.type === 'Identifier' && 'value' in value) found.add(String(value.value));
    namesIn(Object.values(value), found);
  }
  return found;
}
