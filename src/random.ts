/** Uniform numbers in [0, 1), the same for the same seed on every machine. */
export type Random = () => number;

/**
 * sfc32 by Chris Doty-Humphrey (PractRand's "small fast counting" generator): 128 bits of state, a period of at least 2^32, passes PractRand.
 * The state is filled from the seed by splitmix32 and mixed by 12 rounds, as its author advises. For sampling, not for secrets.
 */
export function seededRandom(seed: number): Random {
  let mixed = seed | 0;
  const splitmix = () => {
    mixed = (mixed + 0x9e3779b9) | 0;
    let z = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) | 0;
  };
  let a = splitmix();
  let b = splitmix();
  let c = splitmix();
  let counter = 1;
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let round = 0; round < 12; round += 1) next();
  return next;
}

/** The same numbers as `seededRandom`, drawn in several forms. */
export interface RandomForms {
  /** Uniform in [0, 1), a multiple of 2^-32. */
  uniform(): number;
  /** Uniform whole number from 0 to bound - 1. */
  integer(bound: number): number;
  /** Standard normal (Box and Muller 1958). */
  normal(): number;
}

export function createRandom(seed: number): RandomForms {
  const uniform = seededRandom(seed);
  return {
    uniform,
    integer: (bound) => Math.floor(uniform() * bound),
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}

/** `count` different integers of 0 … total-1, in random order: the head of a Fisher-Yates shuffle. Throws RangeError when count > total. */
export function sampleWithoutReplacement(total: number, count: number, random: Random): number[] {
  if (!(Number.isInteger(count) && count >= 0 && count <= total))
    throw new RangeError(`Cannot draw ${count} of ${total} without replacement.`);
  // Only moved entries are stored, so that a small sample of a huge range costs little.
  const moved = new Map<number, number>();
  return Array.from({ length: count }, (_, i) => {
    const j = i + Math.floor(random() * (total - i));
    const drawn = moved.get(j) ?? j;
    moved.set(j, moved.get(i) ?? i);
    return drawn;
  });
}
