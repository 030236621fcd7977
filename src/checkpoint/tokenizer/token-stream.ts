import type { Tokenizer } from './tokenizer.ts';

/** An unfinished character shows as replacement characters at the end of the text. */
const UNFINISHED = /\ufffd+$/;
/** Tokens without a single clean character boundary between them, after which the text is taken as it is. */
const LONGEST_WINDOW = 64;

/** Text of tokens as they come. */
export interface TokenStream {
  /** Text that the token completes; '' while a character is unfinished. */
  push(id: number): string;
  /** What is left at the end. */
  flush(): string;
}

/**
 * Decodes a growing sequence: the concatenation of all pieces is the text of the sequence. What is decoded is a short window of the last tokens, which
 * begins where a character began. It holds at least one token more than is new, because decoders treat the first token of a sequence in their own way
 * (SentencePiece drops its space); and a character may be spread over several byte tokens.
 */
export function tokenStream(tokenizer: Tokenizer, options: { readonly skipSpecialTokens?: boolean } = {}): TokenStream {
  let window: number[] = [];
  /** How many tokens of the window are there for context only. */
  let context = 0;
  /** Length of the window's text that is out. */
  let emitted = 0;
  const text = () => tokenizer.decode(window, options);

  const restart = (tokens: number[]): void => {
    window = tokens;
    context = tokens.length;
    emitted = text().length;
  };
  return {
    push(id) {
      window.push(id);
      const whole = text();
      const isClean = !UNFINISHED.test(whole);
      const stable = isClean || window.length >= LONGEST_WINDOW ? whole : whole.replace(UNFINISHED, '');
      const piece = stable.slice(emitted);
      emitted = Math.max(emitted, stable.length);
      // A token without text (special and skipped) must not become the only context.
      if (isClean && piece !== '') restart(window.slice(context));
      else if (window.length >= LONGEST_WINDOW) restart(window.slice(-1));
      return piece;
    },
    flush() {
      const piece = text().slice(emitted);
      emitted += piece.length;
      return piece;
    },
  };
}
