import type { Tokenizer } from './tokenizer.ts';

/** The token that the tokenizer itself puts before every text; undefined where it puts none. */
export function beginningToken(tokenizer: Pick<Tokenizer, 'encode' | 'bosTokenId'>): number | undefined {
  const [first] = tokenizer.encode('', { addSpecialTokens: true });
  return first === tokenizer.bosTokenId ? first : undefined;
}
