import { seededRandom } from '../../random.ts';

/**
 * A dropout mask: 0 with probability `share`, else 1 / (1 - share), the same for the same seed. Places that are dropped are found by drawing the
 * gaps between them, which are geometrically distributed, so that the cost goes with what is dropped.
 */
export function dropoutMask(size: number, share: number, seed: number): Float32Array {
  const mask = new Float32Array(size).fill(1 / (1 - share));
  const random = seededRandom(seed);
  const scale = 1 / Math.log(1 - share);
  const gap = () => Math.floor(Math.log(1 - random()) * scale);
  for (let place = gap(); place < size; place += 1 + gap()) mask[place] = 0;
  return mask;
}
