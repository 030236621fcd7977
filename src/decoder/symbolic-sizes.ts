import type { Dimension } from '../onnx/graph.ts';

/** Makes a symbol for a size that follows from others in no simple way. */
export type Fresh = () => string;

/** A shape that two or more are stretched to, as element-wise operators do. */
export function broadcast(shapes: readonly (readonly Dimension[])[], fresh: Fresh): Dimension[] {
  const rank = Math.max(0, ...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.flatMap((shape) => (axis >= rank - shape.length ? (shape.at(axis - rank) ?? []) : []));
    const wide = [...new Set(sizes.filter((size) => size !== 1))];
    return wide.find((size) => typeof size === 'number') ?? (wide.length > 1 ? fresh() : (wide[0] ?? 1));
  });
}

/** What `Reshape` makes of a shape: 0 keeps a size, -1 takes what is left of the others. */
export function reshaped(shape: readonly Dimension[], wanted: readonly Dimension[], fresh: Fresh): Dimension[] {
  const sizes = wanted.map((size, axis) => (size === 0 ? (shape[axis] ?? 1) : size));
  return sizes.map((size) =>
    size === -1
      ? quotient(
          shape,
          sizes.filter((other) => other !== -1),
          fresh,
        )
      : size,
  );
}

/** The product of some sizes divided by that of others: a number, or one of the symbols, where it is that. */
function quotient(over: readonly Dimension[], under: readonly Dimension[], fresh: Fresh): Dimension {
  const left = [...over];
  let number = 1;
  for (const size of under) {
    const at = left.indexOf(size);
    if (at >= 0) left.splice(at, 1);
    else if (typeof size === 'number') number *= size;
    else return fresh();
  }
  const symbols = left.filter((size) => typeof size === 'string');
  const factor =
    left.reduce<number>((product, size) => (typeof size === 'number' ? product * size : product), 1) / number;
  if (symbols.length === 0) return factor;
  return symbols.length === 1 && factor === 1 ? (symbols[0] ?? fresh()) : fresh();
}
