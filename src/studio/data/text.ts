/** A text to score or measure on: the one that is shipped with the page, or the reader's own. */
export type ChosenText =
  | { readonly kind: 'embedded' }
  | {
      readonly kind: 'own';
      readonly name: string;
      readonly text: string;
      /** The model on the bench wrote it: it goes with that model. */
      readonly ofModel?: boolean;
    };

const keys = new WeakMap<ChosenText, string>();

/** What tells texts apart in the keys of measured values. */
export function textKey(text: ChosenText): string {
  const known = keys.get(text) ?? makeKey(text);
  keys.set(text, known);
  return known;
}

function makeKey(text: ChosenText): string {
  if (text.kind === 'embedded') return 'embedded';
  let hash = 0;
  for (let index = 0; index < text.text.length; index += 1)
    hash = (Math.imul(hash, 31) + text.text.charCodeAt(index)) | 0;
  return `${text.name}:${text.text.length}:${hash}`;
}
