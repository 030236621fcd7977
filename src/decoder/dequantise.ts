import type { QuantisedMatrix } from './quantise.ts';

/** What a quantised matrix, or some of its rows, stands for: w = scale * (q - zero point). */
export function dequantiseBlocks(
  { values, scales, zeroPoints }: QuantisedMatrix,
  columns: number,
  bits: 4 | 8,
  block: number,
  rows?: { readonly start: number; readonly end: number },
): Float32Array {
  const blocks = Math.ceil(columns / block);
  const { start, end } = rows ?? { start: 0, end: scales.length / blocks };
  const read = (bytes: Uint8Array, base: number, index: number) => {
    if (bits === 8) return bytes[base + index] as number;
    const pair = bytes[base + (index >> 1)] as number;
    return index % 2 === 0 ? pair & 15 : pair >> 4;
  };
  const zeroBytes = Math.ceil((blocks * bits) / 8);
  const result = new Float32Array((end - start) * columns);
  let at = 0;
  for (let row = start; row < end; row++) {
    for (let group = 0; group < blocks; group++) {
      const scale = scales[row * blocks + group] as number;
      const zero = read(zeroPoints, row * zeroBytes, group);
      const base = ((row * blocks + group) * block * bits) / 8;
      const members = Math.min(block, columns - group * block);
      for (let k = 0; k < members; k++) result[at++] = scale * (read(values, base, k) - zero);
    }
  }
  return result;
}
