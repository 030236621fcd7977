import { FileFormatError } from '../../../errors.ts';

/**
 * SentencePiece's table of normalisations, as tokenizer.json keeps it: base64 of a double-array trie (units of 32 bits, their size in bytes first) and the
 * texts that it points to, each ended by a zero byte. Applied as the Python package does: to whole graphemes of up to five bytes, else to characters.
 * Throws FileFormatError for a table that is cut.
 */
export function precompiledNormalizer(base64: string): (text: string) => string {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const trieBytes = bytes.length < 4 ? Number.POSITIVE_INFINITY : view.getUint32(0, true);
  if (trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length)
    throw new FileFormatError('the precompiled table of the normalizer is cut; fetch the file again');
  const trie = Uint32Array.from({ length: trieBytes / 4 }, (_, index) => view.getUint32(4 + 4 * index, true));
  const texts = bytes.subarray(4 + trieBytes);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  /** The text of the shortest entry that the key begins with. */
  const lookUp = (key: Uint8Array): string | undefined => {
    let unit = trie[0] ?? 0;
    let node = offset(unit);
    for (const byte of key) {
      if (byte === 0) return undefined;
      node ^= byte;
      unit = trie[node] ?? 0;
      // The label of an inner unit is its byte; a leaf has its highest bit set and so equals none.
      if ((unit & 0x800000ff) !== byte) return undefined;
      node ^= offset(unit);
      if ((unit & 0x100) !== 0) {
        const start = (trie[node] ?? 0) & 0x7fffffff;
        const end = texts.indexOf(0, start);
        return decoder.decode(texts.subarray(start, end < 0 ? texts.length : end));
      }
    }
    return undefined;
  };
  const known = new Map<string, string | undefined>();
  const transform = (part: string): string | undefined => {
    if (!known.has(part)) {
      if (known.size > 100_000) known.clear();
      known.set(part, lookUp(encoder.encode(part)));
    }
    return known.get(part);
  };
  const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return (text) => {
    let result = '';
    for (const { segment } of graphemes.segment(text)) {
      const whole = encoder.encode(segment).length < 6 ? transform(segment) : undefined;
      if (whole !== undefined) result += whole;
      else for (const character of segment) result += transform(character) ?? character;
    }
    return result;
  };
}

function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
