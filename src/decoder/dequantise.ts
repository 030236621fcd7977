import type { QuantisedMatrix } from './quantise.ts';

/** What a quantised matrix stands for, written from the format's definition: w = scale * (q - zero point). */
export function dequantiseBlocks(matrix: QuantisedMatrix, columns: number, bits: 4 | 8, block: number): Float32Array {
  const blocks = Math.ceil(columns / block);
  const rows = matrix.scales.length / blocks;
  const read = (bytes: Uint8Array, base: number, index: number) => {
    if (bits === 8) return bytes[base + index] as number;
    const pair = bytes[base + Math.floor(index / 2)] as number;
    return index % 2 === 0 ? pair % 16 : Math.floor(pair / 16);
  };
  const zeroBytes = Math.ceil((blocks * bits) / 8);
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    const group = Math.floor(column / block);
    const value = read(matrix.values, ((row * blocks + group) * block * bits) / 8, column % block);
    return (matrix.scales[row * blocks + group] as number) * (value - read(matrix.zeroPoints, row * zeroBytes, group));
  });
}
