import { expect, test } from 'vitest';
import { DeviceError } from '../errors.ts';
import { randomScores } from '../plan/methods/random.ts';
import { symmetricEigen } from './eigen.ts';

function check(matrix: Float64Array, size: number) {
  const { values, vectors } = symmetricEigen(matrix, size);
  const scale = Math.max(1e-300, ...matrix.map(Math.abs));
  for (let k = 0; k < size; k++) {
    for (let i = 0; i < size; i++) {
      let product = 0;
      let inner = 0;
      for (let j = 0; j < size; j++) {
        product += (matrix[i * size + j] ?? 0) * (vectors[k * size + j] ?? 0);
        inner += (vectors[i * size + j] ?? 0) * (vectors[k * size + j] ?? 0);
      }
      const wanted = (values[k] ?? 0) * (vectors[k * size + i] ?? 0);
      expect(Math.abs(product - wanted), `A v = value v, size ${size}`).toBeLessThan(1e-12 * size * scale);
      expect(inner, `orthonormal, size ${size}`).toBeCloseTo(i === k ? 1 : 0, 11);
    }
  }
}

test('A v = value v with orthonormal vectors, for random, degenerate and special matrices', () => {
  for (const size of [1, 2, 3, 7, 40]) {
    const numbers = randomScores(size * size, size);
    const symmetric = numbers.map((_, at) => {
      const [i, j] = [Math.floor(at / size), at % size];
      return (numbers[at] ?? 0) + (numbers[j * size + i] ?? 0) - 1;
    });
    check(symmetric, size);
    // Of rank 1, with all other eigenvalues 0.
    check(
      symmetric.map((_, at) => (numbers[Math.floor(at / size)] ?? 0) * (numbers[at % size] ?? 0)),
      size,
    );
    check(
      symmetric.map((_, at) => (Math.floor(at / size) === at % size ? 3 : 0)),
      size,
    );
    check(new Float64Array(size * size), size);
  }
});

test('refuses what is not finite', () => {
  expect(() => symmetricEigen(Float64Array.of(1, Number.NaN, Number.NaN, 1), 2)).toThrow(DeviceError);
});
