/** Longer pieces are whole lines of repeated characters; their splits would cost the square of the length. */
const LONGEST_PIECE = 256;

/**
 * The merges that make a SentencePiece byte-pair model's pieces: each way to join two pieces to a third, best score first, as transformers' converter
 * makes them (`generate_merges` of convert_slow_tokenizer.py): within one piece by the ids of its parts, then by score, then by length, longest first.
 * Only pieces that `takesPart` are joined.
 */
export function sentencePieceMerges(
  tokens: readonly string[],
  scores: readonly number[],
  takesPart: (id: number) => boolean,
): [string, string][] {
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) if (takesPart(id)) ids.set(token, id);
  // Some converters lose the scores and write one number for all; ids are in the order of learning then.
  const hasScores = new Set([...ids].filter(([token]) => token.length > 1).map(([, id]) => scores[id])).size > 1;
  const merges: { left: string; right: string; score: number }[] = [];
  for (const [token, id] of ids) {
    if (token.length > LONGEST_PIECE) continue;
    const local: { left: string; right: string; leftId: number; rightId: number }[] = [];
    for (let cut = 1; cut < token.length; cut += 1) {
      const left = token.slice(0, cut);
      const leftId = ids.get(left);
      if (leftId === undefined) continue;
      const right = token.slice(cut);
      const rightId = ids.get(right);
      if (rightId !== undefined) local.push({ left, right, leftId, rightId });
    }
    local.sort((a, b) => a.leftId - b.leftId || a.rightId - b.rightId);
    for (const { left, right } of local) merges.push({ left, right, score: hasScores ? (scores[id] ?? 0) : -id });
  }
  // Sorting is stable in Python and here; a reverse sort keeps the order of equals.
  merges.sort((a, b) => b.score - a.score || length(b.left) - length(a.left) || length(b.right) - length(a.right));
  return merges.map(({ left, right }) => [left, right]);
}

/** In characters, as Python counts. */
function length(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
