/** 64 bits of a text, as hexadecimal: two FNV-1a hashes of different seeds. Tells kept results apart; not for secrets. */
export function fingerprint(text: string): string {
  let [first, second] = [0x811c9dc5, 0x9dc5811c];
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    first = Math.imul(first ^ code, 0x01000193);
    second = Math.imul(second ^ code ^ (code << 7), 0x01000193);
  }
  return [first, second].map((value) => (value >>> 0).toString(16).padStart(8, '0')).join('');
}
