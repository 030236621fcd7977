/** A seed from several numbers and words (FNV-1a over their text): everything random of a training has its own stream, whatever happened before it. */
export function mixSeeds(...parts: readonly (number | string)[]): number {
  let hash = 0x811c9dc5;
  for (const character of parts.join('/')) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}
