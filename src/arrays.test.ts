import { expect, test } from 'vitest';
import { elementCount, transpose } from './arrays.ts';

test('the elements of a shape are counted', () => {
  expect(elementCount([])).toBe(1);
  expect(elementCount([3, 4, 5])).toBe(60);
  expect(elementCount([2, 0, 2 ** 53])).toBe(0);
});

test.each([
  [1, 7],
  [7, 1],
  [33, 65],
  [0, 4],
])('a matrix of %d rows and %d columns is transposed', (rows, columns) => {
  const matrix = Float32Array.from({ length: rows * columns }, (_, index) => index);
  const before = matrix.slice();
  const turned = transpose(matrix, rows);
  expect(turned).toBeInstanceOf(Float32Array);
  expect(matrix).toEqual(before);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      expect(turned[column * rows + row]).toBe(matrix[row * columns + column]);
  expect(transpose(Float64Array.from(matrix), rows)).toEqual(Float64Array.from(turned));
});
