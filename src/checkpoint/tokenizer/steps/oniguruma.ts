import { SplitPreTokenizer } from '@huggingface/tokenizers';

/**
 * JavaScript's expression for one in Oniguruma's syntax. The library's split step translates it, all but what keeps a match from being given back:
 * possessive quantifiers and atomic groups become a group that a lookahead captures and a reference repeats. Throws SyntaxError for what cannot be translated.
 */
export function oniguruma(source: string): RegExp {
  const insensitive = /^\(\?i\)/.test(source) ? `(?i:${source.slice(4)})` : source;
  const { pattern } = new SplitPreTokenizer({
    type: 'Split',
    pattern: { Regex: captured(insensitive) },
    behavior: 'Isolated',
    invert: false,
  });
  if (!(pattern instanceof RegExp)) throw new SyntaxError(`the pattern ${source} cannot be used`);
  if (!source.includes('(?i')) return pattern;
  // Without regard to case, k is the sign of Kelvin as well, and s the long s.
  return new RegExp(pattern.source.replaceAll('[kK]', '[kK\u212a]').replaceAll('[sS]', '[sS\u017f]'), pattern.flags);
}

/** The source with possessive quantifiers and atomic groups written as captured lookaheads. */
function captured(source: string): string {
  let output = '';
  let names = 0;
  /** Where the last atom begins in the output. */
  let atom = 0;
  const groups: { readonly start: number; readonly atomic: boolean }[] = [];
  const capture = (start: number, content: string) => {
    names += 1;
    output = `${output.slice(0, start)}(?=(?<kept${names}>${content}))\\k<kept${names}>`;
    atom = start;
  };
  for (let place = 0; place < source.length; ) {
    const rest = source.slice(place);
    const possessive = /^([*+?])\+/.exec(rest);
    if (possessive) {
      capture(atom, output.slice(atom) + possessive[1]);
      place += 2;
      continue;
    }
    const quantifier = /^(?:[*+?]\??|\{\d*,?\d*\}\??)/.exec(rest);
    const piece = quantifier?.[0] ?? atomAt(rest);
    if (piece.startsWith('(')) {
      groups.push({ start: output.length, atomic: rest.startsWith('(?>') });
      output += rest.startsWith('(?>') ? '' : piece;
      place += rest.startsWith('(?>') ? 3 : piece.length;
      atom = output.length;
      continue;
    }
    if (!quantifier && piece !== ')') atom = output.length;
    place += piece.length;
    if (piece !== ')') {
      output += piece;
      continue;
    }
    const group = groups.pop() ?? { start: output.length, atomic: false };
    if (group.atomic) capture(group.start, output.slice(group.start));
    else output += piece;
    atom = group.start;
  }
  return output;
}

/** The escape, character class, group opening or character that a source begins with. */
function atomAt(source: string): string {
  const escaped = /^\\(?:[pPxuk]\{[^}]*\}|k<[^>]*>|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[\s\S])/u.exec(source);
  if (escaped) return escaped[0];
  if (source.startsWith('[')) return source.slice(0, classEnd(source));
  const group = /^\((?:\?(?:<?[=!]|[:>]|<[A-Za-z_]\w*>|[a-z-]+:))?/.exec(source);
  if (group) return group[0];
  return String.fromCodePoint(source.codePointAt(0) ?? 0);
}

/** Where a character class ends; classes may hold classes, and `]` stands for itself at the beginning. */
function classEnd(source: string): number {
  let depth = 0;
  for (let place = 0; place < source.length; place += 1) {
    if (source[place] === '\\') place += 1;
    else if (source[place] === '[') {
      depth += 1;
      if (source[place + 1] === '^') place += 1;
      if (source[place + 1] === ']') place += 1;
    } else if (source[place] === ']') {
      depth -= 1;
      if (depth === 0) return place + 1;
    }
  }
  return source.length;
}
