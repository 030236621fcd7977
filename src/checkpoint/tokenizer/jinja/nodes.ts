import { Template } from '@huggingface/jinja';
import { TemplateLackError } from './values.ts';

/** What the library's parser makes of a template; it exports no types of its tree. */
export type Node =
  | { readonly type: 'Program'; readonly body: readonly Node[] }
  | { readonly type: 'If'; readonly test: Node; readonly body: readonly Node[]; readonly alternate: readonly Node[] }
  | {
      readonly type: 'For';
      readonly loopvar: Node;
      readonly iterable: Node;
      readonly body: readonly Node[];
      readonly defaultBlock: readonly Node[];
    }
  | { readonly type: 'Break' | 'Continue' | 'Comment' }
  | { readonly type: 'Set'; readonly assignee: Node; readonly value: Node | null; readonly body: readonly Node[] }
  | { readonly type: 'Macro'; readonly name: Name; readonly args: readonly Node[]; readonly body: readonly Node[] }
  | {
      readonly type: 'CallStatement';
      readonly call: Call;
      readonly callerArgs: readonly Node[] | null;
      readonly body: readonly Node[];
    }
  | { readonly type: 'FilterStatement'; readonly filter: Name | Call; readonly body: readonly Node[] }
  | { readonly type: 'MemberExpression'; readonly object: Node; readonly property: Node; readonly computed: boolean }
  | Call
  | Name
  | { readonly type: 'IntegerLiteral' | 'FloatLiteral'; readonly value: number }
  | { readonly type: 'StringLiteral'; readonly value: string }
  | { readonly type: 'ArrayLiteral' | 'TupleLiteral'; readonly value: readonly Node[] }
  | { readonly type: 'ObjectLiteral'; readonly value: ReadonlyMap<Node, Node> }
  | { readonly type: 'BinaryExpression'; readonly operator: Operator; readonly left: Node; readonly right: Node }
  | { readonly type: 'UnaryExpression'; readonly operator: Operator; readonly argument: Node }
  | { readonly type: 'FilterExpression'; readonly operand: Node; readonly filter: Name | Call }
  | { readonly type: 'SelectExpression'; readonly lhs: Node; readonly test: Node }
  | { readonly type: 'TestExpression'; readonly operand: Node; readonly negate: boolean; readonly test: Name }
  | {
      readonly type: 'SliceExpression';
      readonly start: Node | undefined;
      readonly stop: Node | undefined;
      readonly step: Node | undefined;
    }
  | { readonly type: 'KeywordArgumentExpression'; readonly key: Name; readonly value: Node }
  | { readonly type: 'SpreadExpression' | 'KeywordSpreadExpression'; readonly argument: Node }
  | { readonly type: 'Ternary'; readonly condition: Node; readonly trueExpr: Node; readonly falseExpr: Node };

export interface Name {
  readonly type: 'Identifier';
  readonly value: string;
}
export interface Call {
  readonly type: 'CallExpression';
  readonly callee: Node;
  readonly args: readonly Node[];
}
interface Operator {
  readonly value: string;
}

/**
 * The tree of a template, read as transformers sets Jinja up: `trim_blocks`, `lstrip_blocks`. The library does not know the plus that switches them off for
 * one tag; an empty expression beside the tag does the same. Throws SyntaxError for a broken template, TemplateLackError for a number with an exponent,
 * which the library would read as two things.
 */
export function parse(source: string): Node {
  const lines = source.replace(/\r\n?/g, '\n');
  for (const [tag] of lines.matchAll(/\{[{%][\s\S]*?[%}]\}/g))
    if (/(?<![\w.])[\d_]+(\.\d+)?e[+-]?\d/i.test(tag.replace(/'(\\.|[^'\\])*'|"(\\.|[^"\\])*"/g, '""')))
      throw new TemplateLackError('a number with an exponent');
  const plain = lines.replaceAll('{%+', "{{''}}{%").replaceAll('+%}', "%}{{''}}");
  return new Template(plain).parsed as unknown as Node;
}
