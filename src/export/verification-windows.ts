import { seededRandom } from '../random.ts';

/** Positions that every export is compared at, at least. */
export const VERIFIED_POSITIONS = 256;
/** Tokens of a piece: the logits of its positions are in memory at once, twice. */
const LONGEST_PIECE = 128;
const DRAWN_PIECE = 64;

/** What an export is verified on. */
export interface VerificationWindows {
  /** Windows of token ids, none longer than the model holds; `VERIFIED_POSITIONS` together, or the few more that the last piece has. */
  readonly windows: readonly (readonly number[])[];
  readonly source: VerificationSource;
}

/** Text of the caller, text that the model wrote (or some of it), or tokens drawn from the vocabulary (or some of them). */
export type VerificationSource = 'text' | 'sampled' | 'drawn';

/**
 * Enough windows for a verification: the first of `text`, in pieces, then of what the model itself wrote, and where those do not suffice tokens drawn from the
 * vocabulary. Any tokens do to tell two programs of one model apart; text is needed where a divergence or a share of agreement is to mean something.
 * @param positions longest sequence of the model.
 */
export function verificationWindows(
  text: readonly ArrayLike<number>[],
  vocabulary: number,
  positions: number,
  sampled: readonly ArrayLike<number>[] = [],
): VerificationWindows {
  const length = Math.min(LONGEST_PIECE, positions);
  const given = firstPieces(text, length);
  const windows = firstPieces([...text, ...sampled], length);
  const random = seededRandom(0);
  const source = missing(given) <= 0 ? 'text' : missing(windows) <= 0 ? 'sampled' : 'drawn';
  while (missing(windows) > 0) {
    const drawn = Math.min(DRAWN_PIECE, positions, missing(windows));
    windows.push(Array.from({ length: drawn }, () => Math.floor(random() * vocabulary)));
  }
  return { windows, source };
}

function firstPieces(text: readonly ArrayLike<number>[], length: number): number[][] {
  const pieces: number[][] = [];
  for (const window of text) {
    for (let start = 0; start < window.length && missing(pieces) > 0; start += length)
      pieces.push(Array.from(window).slice(start, start + length));
  }
  return pieces;
}

function missing(windows: readonly (readonly number[])[]): number {
  return VERIFIED_POSITIONS - windows.reduce((sum, window) => sum + window.length, 0);
}
