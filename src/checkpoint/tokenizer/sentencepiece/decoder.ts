import type { JsonRecord } from '../../files/json.ts';

/** The decoder of tokenizer.json for SentencePiece's tokens: `▁` to spaces, byte tokens to text, and at most `leadingSpaces` spaces less at the beginning. */
export function sentencePieceDecoder(leadingSpaces: number): JsonRecord {
  return {
    type: 'Sequence',
    decoders: [
      { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
      { type: 'ByteFallback' },
      { type: 'Fuse' },
      ...(leadingSpaces > 0 ? [{ type: 'Strip', content: ' ', start: leadingSpaces, stop: 0 }] : []),
    ],
  };
}
