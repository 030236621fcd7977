import { type Random, seededRandom } from '../random.ts';

/**
 * A dropout mask: 0 with probability `share`, else 1 / (1 - share), the same for the same seed. Places that are dropped are found by drawing the
 * gaps between them, which are geometrically distributed, so that the cost goes with what is dropped.
 */
export function dropoutMask(size: number, share: number, seed: number): Float32Array {
  const mask = new Float32Array(size).fill(1 / (1 - share));
  const gap = geometricGaps(share, seededRandom(seed));
  for (let place = gap(); place < size; place += 1 + gap()) mask[place] = 0;
  return mask;
}

/** Parts that the unit interval is cut into. In nearly all of them the gap is the same from end to end, and needs no logarithm. */
const PARTS = 4096;

let known: { readonly share: number; readonly gaps: Int32Array } | undefined;

/** floor(log(1 - u) / log(1 - share)) of uniform u: how many places stay before the next one that is dropped. */
function geometricGaps(share: number, random: Random): () => number {
  const scale = 1 / Math.log(1 - share);
  const gapAt = (uniform: number) => Math.floor(Math.log(1 - uniform) * scale);
  if (known?.share !== share) {
    // -1 where a part has more than one gap. The generator's numbers are multiples of 2^-32.
    const gaps = Int32Array.from({ length: PARTS }, (_, part) => {
      const [first, last] = [gapAt(part / PARTS), gapAt((part + 1) / PARTS - 2 ** -32)];
      return first === last ? first : -1;
    });
    known = { share, gaps };
  }
  const { gaps } = known;
  return () => {
    const uniform = random();
    const gap = gaps[Math.floor(uniform * PARTS)] as number;
    return gap >= 0 ? gap : gapAt(uniform);
  };
}
