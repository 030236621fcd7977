import { UsageError } from '../../../errors.ts';
import type { TokenParts } from './parts.ts';

/** How much of a vocabulary is to stay: a number of tokens, a share of them (above 0 and below 1), or those that given texts use. */
export type VocabularyTarget = { readonly kind: 'count' | 'share'; readonly value: number } | { readonly kind: 'seen' };

/** '2048', '0.5' or 'seen'. Throws UsageError naming the three. */
export function parseVocabularyTarget(text: string): VocabularyTarget {
  if (text === 'seen') return { kind: 'seen' };
  const value = Number(text);
  if (text.trim() !== '' && value > 0 && value < 1) return { kind: 'share', value };
  if (text.trim() !== '' && Number.isInteger(value) && value > 0) return { kind: 'count', value };
  throw new UsageError(
    `"${text}" is no size of a vocabulary; give a number of tokens such as 16384, a share such as 0.5, or "seen" for the tokens of the calibration text.`,
  );
}

/**
 * Which tokens stay, ascending by their ids: the necessary ones, then those with the highest use, each with the tokens that it is made of, as long as there is room.
 * @param uses by token id; what is used at all for 'seen', where 0 is not.
 * Throws UsageError where the necessary tokens alone are more than what is asked for.
 */
export function chooseTokens(parts: TokenParts, uses: ArrayLike<number>, target: VocabularyTarget): number[] {
  const size = parts.ids.size;
  const room = target.kind === 'seen' ? size : target.kind === 'count' ? target.value : Math.floor(target.value * size);
  const kept = new Set(parts.necessary);
  if (kept.size > room)
    throw new UsageError(
      `A vocabulary of ${room} tokens is too small: ${kept.size} of ${size} are needed to spell every text and for the model's special tokens. Ask for at least ${kept.size}.`,
    );
  const order = [...new Set(parts.ids.values())]
    .filter((id) => !kept.has(id) && (target.kind !== 'seen' || (uses[id] ?? 0) > 0))
    .sort((a, b) => (uses[b] ?? 0) - (uses[a] ?? 0) || a - b);
  for (const id of order) {
    const needed = [id, ...parts.partsOf(id)].filter((part) => !kept.has(part));
    if (kept.size + needed.length > room) continue;
    for (const part of needed) kept.add(part);
  }
  return [...kept].sort((a, b) => a - b);
}
