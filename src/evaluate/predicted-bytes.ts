import { tokenStream } from '../checkpoint/tokenizer/token-stream.ts';
import type { Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';

/**
 * Bytes of UTF-8 that the predictions of windows stand for: those of all tokens but the first of each window. Special tokens stand for none, and a character of several tokens belongs to its
 * last one. Windows are taken as they follow each other in a text, so that no character is lost between two of them.
 */
export function predictedBytes(tokenizer: Tokenizer, windows: readonly ArrayLike<number>[]): number {
  const stream = tokenStream(tokenizer, { skipSpecialTokens: true });
  const encoder = new TextEncoder();
  let bytes = 0;
  for (const window of windows)
    for (const [place, id] of Array.from(window).entries()) {
      const piece = stream.push(id);
      if (place > 0) bytes += encoder.encode(piece).length;
    }
  return bytes + encoder.encode(stream.flush()).length;
}

/**
 * Bits that a model needs for a byte of text: what models of different vocabularies are compared by, where perplexity counts tokens.
 * @param loss mean cross-entropy in nats over `tokens` predictions, which stand for `bytes` bytes
 */
export function bitsPerByte(
  { loss, tokens }: { readonly loss: number; readonly tokens: number },
  bytes: number,
): number {
  return (loss * tokens) / (bytes * Math.LN2);
}
