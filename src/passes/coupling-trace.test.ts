import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MismatchError } from '../errors.ts';
import type { AxisAtoms } from '../operators/operator.ts';
import { AtomTrace, type Layout } from './coupling-trace.ts';

const start = () => {
  const trace = new AtomTrace();
  return { trace, axis: (size: number): AxisAtoms => [trace.fresh(size)] };
};

/** A layout as text: classes as letters in order of appearance over all given axes. */
function show(trace: AtomTrace, ...axes: AxisAtoms[]): string[] {
  const letters = new Map<number, string>();
  const text = (layout: Layout): string =>
    layout
      .map((factor) => {
        if (factor.kind === 'sum') return `(${factor.parts.map(text).join(' + ')})`;
        if (!letters.has(factor.id)) letters.set(factor.id, String.fromCharCode(97 + letters.size));
        return `${letters.get(factor.id)}${factor.size}`;
      })
      .join(' ');
  return axes.map((axis) => text(trace.layout(axis)));
}

const sizeOf = (layout: Layout): number => layout.reduce((product, factor) => product * factor.size, 1);

describe('AtomTrace', () => {
  it('refines both axes to their common factors', () => {
    const { trace, axis } = start();
    const [a, b] = [axis(24), axis(24)];
    trace.regroup([a], [2, 12]);
    trace.regroup([b], [6, 4]);
    trace.unify(a, b);
    expect(show(trace, a, b)).toEqual(['a2 b3 c4', 'a2 b3 c4']);
  });

  it('merges axes by a reshape, and takes them apart again', () => {
    const { trace, axis } = start();
    const [heads, size] = [axis(3), axis(4)];
    const [merged] = trace.regroup([heads, size], [12]) as [AxisAtoms];
    const again = trace.regroup([merged], [3, 4]);
    expect(show(trace, heads, size, merged, ...again)).toEqual(['a3', 'b4', 'a3 b4', 'a3', 'b4']);
  });

  it('knows halves of an axis that were cut and joined again as the same two halves', () => {
    const { trace, axis } = start();
    const [query, key, table] = [axis(8), axis(8), axis(4)];
    const rotate = (whole: AxisAtoms) => {
      const [first, second] = trace.cut(whole, [4, 4]) as [AxisAtoms, AxisAtoms];
      return trace.concatenate([trace.unify(first, table), trace.unify(second, table)]);
    };
    trace.unify(rotate(query), rotate(key));
    expect(show(trace, query, key, table)).toEqual(['(a4 + a4)', '(a4 + a4)', 'a4']);
  });

  it('finds the inner factor that all parts of a concatenation share', () => {
    const { trace, axis } = start();
    const [query, key] = [axis(12), axis(4)];
    const joined = trace.concatenate([query, key]);
    const groups = trace.regroup([joined], [4, 4]);
    const [queryHeads, keyHeads] = trace.cut(groups[0] as AxisAtoms, [3, 1]);
    expect(show(trace, joined, query, key, groups[1] as AxisAtoms)).toEqual(['(a3 + b1) c4', 'a3 c4', 'b1 c4', 'c4']);
    expect(show(trace, queryHeads as AxisAtoms, keyHeads as AxisAtoms)).toEqual(['a3', 'b1']);
  });

  it('cuts concatenations at new boundaries', () => {
    const { trace, axis } = start();
    const whole = axis(10);
    trace.cut(whole, [4, 6]);
    const [, middle] = trace.cut(whole, [2, 5, 3]) as [AxisAtoms, AxisAtoms, AxisAtoms];
    expect(show(trace, whole, middle)).toEqual(['(a2 + b2 + c3 + d3)', '(b2 + c3)']);
  });

  it('pins what a later refinement finds, and what layouts that do not fit share', () => {
    const { trace, axis } = start();
    const pinned = axis(12);
    trace.pin(pinned, 'measured');
    const [outer, inner] = trace.regroup([pinned], [3, 4]) as [AxisAtoms, AxisAtoms];
    for (const leaf of [...trace.leaves(outer), ...trace.leaves(inner)])
      expect(trace.reasons(leaf)).toEqual(['measured']);
    const [a, b] = [axis(6), axis(6)];
    trace.regroup([a], [2, 3]);
    trace.regroup([b], [3, 2]);
    trace.unify(a, b);
    for (const leaf of [...trace.leaves(a), ...trace.leaves(b)])
      expect(trace.reasons(leaf)).toEqual(['two operators lay it out in ways that do not fit each other']);
    expect(() => trace.unify(a, axis(5))).toThrow(MismatchError);
  });

  it('keeps every size and comes to an end, whatever the order of operations', () => {
    const step = fc.record({
      operation: fc.constantFrom('unify', 'regroup', 'cut', 'concatenate', 'pin'),
      a: fc.nat(50),
      b: fc.nat(50),
      factor: fc.constantFrom(1, 2, 3, 4, 6),
    });
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(1, 2, 4, 6, 12, 24), { minLength: 2, maxLength: 6 }),
        fc.array(step, { maxLength: 40 }),
        (sizes, steps) => {
          const { trace, axis } = start();
          const axes: { atoms: AxisAtoms; size: number }[] = sizes.map((size) => ({ atoms: axis(size), size }));
          for (const { operation, a, b, factor } of steps) {
            const first = axes[a % axes.length] as { atoms: AxisAtoms; size: number };
            const second = axes[b % axes.length] as { atoms: AxisAtoms; size: number };
            if (operation === 'unify' && first.size === second.size) trace.unify(first.atoms, second.atoms);
            if (operation === 'pin') trace.pin(first.atoms, 'pinned');
            if (operation === 'concatenate' && first.size + second.size < 100)
              axes.push({ atoms: trace.concatenate([first.atoms, second.atoms]), size: first.size + second.size });
            if (operation === 'regroup' && first.size % factor === 0) {
              const parts = trace.regroup([first.atoms], [factor, first.size / factor]);
              axes.push({ atoms: parts[0] ?? [], size: factor }, { atoms: parts[1] ?? [], size: first.size / factor });
            }
            if (operation === 'cut' && first.size > factor) {
              const parts = trace.cut(first.atoms, [factor, first.size - factor]);
              axes.push({ atoms: parts[0] ?? [], size: factor }, { atoms: parts[1] ?? [], size: first.size - factor });
            }
          }
          for (const { atoms, size } of axes) expect(sizeOf(trace.layout(atoms))).toBe(size);
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });
});
