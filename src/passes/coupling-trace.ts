import { elementCount } from '../arrays.ts';
import { MismatchError } from '../errors.ts';
import type { Atom, AxisAtoms, CouplingTrace } from '../operators/operator.ts';

/** Why coordinates are pinned that two operators arrange differently. */
export const MISFIT = 'two operators lay it out in ways that do not fit each other';

/** What an atom turned out to be made of: factors (outermost first), or parts after each other. */
type Definition =
  | { readonly kind: 'product'; readonly atoms: AxisAtoms }
  | { readonly kind: 'sum'; readonly parts: readonly AxisAtoms[] };

/** A layout of an axis after the trace: factors outermost first; a factor is a class of shared coordinates or a concatenation of layouts. */
export type Layout = readonly Factor[];
export type Factor =
  | { readonly kind: 'class'; readonly id: number; readonly size: number }
  | { readonly kind: 'sum'; readonly size: number; readonly parts: readonly Layout[] };

const sizeOf = (axis: AxisAtoms): number => elementCount(axis.map((atom) => atom.size));

/**
 * Union-find over atoms that can be refined at any time. Two refinements that cannot be reconciled pin the atoms concerned:
 * the trace may call too little prunable, never too much.
 */
export class AtomTrace implements CouplingTrace {
  readonly #parents = new Map<Atom, Atom>();
  readonly #definitions = new Map<Atom, Definition>();
  readonly #pins = new Map<Atom, Set<string>>();
  #next = 0;

  fresh(size: number): Atom {
    return { id: this.#next++, size };
  }

  unify(a: AxisAtoms, b: AxisAtoms): AxisAtoms {
    if (sizeOf(a) !== sizeOf(b))
      throw new MismatchError(`Axes of ${sizeOf(a)} and ${sizeOf(b)} coordinates cannot be the same.`);
    if (!this.#tryUnify(a, b)) for (const axis of [a, b]) this.pin(axis, MISFIT);
    return this.#resolve(a);
  }

  regroup(axes: readonly AxisAtoms[], sizes: readonly number[]): AxisAtoms[] {
    const groups = this.#tryRegroup(axes.flat(), sizes);
    if (groups) return groups;
    return this.#scramble(axes.flat(), sizes, 'a reshape cuts across it');
  }

  cut(axis: AxisAtoms, sizes: readonly number[]): AxisAtoms[] {
    if (sizes.filter((size) => size > 0).length === 1) return sizes.map((size) => (size > 0 ? axis : [this.fresh(0)]));
    return this.#tryCut(axis, sizes) ?? this.#scramble(axis, sizes, 'a split or slice cuts across it');
  }

  concatenate(parts: readonly AxisAtoms[]): AxisAtoms {
    const filled = parts.filter((part) => sizeOf(part) > 0);
    if (filled.length === 1 && filled[0]) return filled[0];
    return [this.#sum(filled)];
  }

  pin(axis: AxisAtoms, reason: string): void {
    for (const leaf of this.leaves(axis)) if (leaf.size > 1) this.#pinsOf(leaf).add(reason);
  }

  /** The classes of an axis, in order of first appearance. */
  leaves(axis: AxisAtoms): Atom[] {
    const all = this.#resolve(axis).flatMap((atom) => {
      const definition = this.#definitions.get(atom);
      return definition?.kind === 'sum' ? definition.parts.flatMap((part) => this.leaves(part)) : [atom];
    });
    return [...new Set(all)];
  }

  /** Why a class is pinned; empty where it is free. */
  reasons(leaf: Atom): readonly string[] {
    return [...(this.#pins.get(this.#root(leaf)) ?? [])];
  }

  layout(axis: AxisAtoms): Layout {
    return this.#resolve(axis).map((atom): Factor => {
      const definition = this.#definitions.get(atom);
      if (definition?.kind !== 'sum') return { kind: 'class', id: atom.id, size: atom.size };
      return { kind: 'sum', size: atom.size, parts: this.#parts(atom).map((part) => this.layout(part)) };
    });
  }

  #root(atom: Atom): Atom {
    let root = atom;
    for (let parent = this.#parents.get(root); parent; parent = this.#parents.get(root)) root = parent;
    return root;
  }

  /** Roots with products written out: every atom returned is a leaf or a sum. */
  #resolve(axis: AxisAtoms): Atom[] {
    return axis.flatMap((atom) => {
      const root = this.#root(atom);
      const definition = this.#definitions.get(root);
      return definition?.kind === 'product' ? this.#resolve(definition.atoms) : [root];
    });
  }

  #define(atom: Atom, definition: Definition): void {
    this.#definitions.set(atom, definition);
    const reasons = this.#pins.get(atom);
    if (reasons) for (const reason of reasons) this.pin([atom], reason);
  }

  #sum(parts: readonly AxisAtoms[]): Atom {
    const atom = this.fresh(parts.reduce((size, part) => size + sizeOf(part), 0));
    this.#define(atom, { kind: 'sum', parts });
    return atom;
  }

  /** Parts of a sum, those that are sums themselves written out. */
  #parts(sum: Atom): AxisAtoms[] {
    const definition = this.#definitions.get(sum);
    if (definition?.kind !== 'sum') return [[sum]];
    return definition.parts.flatMap((part) => {
      const atoms = this.#resolve(part);
      const [only] = atoms;
      return atoms.length === 1 && only && this.#definitions.has(only) ? this.#parts(only) : [atoms];
    });
  }

  #pinsOf(root: Atom): Set<string> {
    let reasons = this.#pins.get(root);
    if (!reasons) {
      reasons = new Set();
      this.#pins.set(root, reasons);
    }
    return reasons;
  }

  #tryUnify(a: AxisAtoms, b: AxisAtoms): boolean {
    const left = this.#resolve(a);
    const right = this.#resolve(b);
    while (left.length > 0 && right.length > 0) {
      left.splice(0, 1, ...this.#resolve(left.slice(0, 1)));
      right.splice(0, 1, ...this.#resolve(right.slice(0, 1)));
      const [x, y] = [left[0] as Atom, right[0] as Atom];
      if (x === y || x.size === y.size) {
        if (!this.#merge(x, y)) return false;
        left.shift();
        right.shift();
      } else if (x.size === 1) this.#mirrorUnit(left, right);
      else if (y.size === 1) this.#mirrorUnit(right, left);
      else {
        const [smaller, larger, side] = x.size < y.size ? [x, y, right] : [y, x, left];
        const factors = this.#factor(larger, smaller.size);
        if (!factors) return false;
        side.splice(0, 1, ...factors);
      }
    }
    return [...left, ...right].every((atom) => atom.size === 1);
  }

  /** `units` starts with a size-1 atom that `other` lacks: `other` gets it too (one key/value head is a group), unless both go on with the same atom. */
  #mirrorUnit(units: Atom[], other: Atom[]): void {
    const target = other[0] as Atom;
    const next = this.#resolve(units).find((atom) => atom.size > 1);
    const factors = next === target ? undefined : this.#factor(target, 1);
    if (factors) other.splice(0, 1, ...factors);
    else units.shift();
  }

  /** Makes two roots of equal size one. */
  #merge(x: Atom, y: Atom): boolean {
    if (x === y) return true;
    const [keep, drop] = x.id < y.id ? [x, y] : [y, x];
    const both = this.#definitions.has(keep) && this.#definitions.has(drop);
    if (both && !this.#mergeSums(keep, drop)) return false;
    const definition = this.#definitions.get(keep) ?? this.#definitions.get(drop);
    const reasons = new Set([...this.reasons(keep), ...this.reasons(drop)]);
    this.#parents.set(drop, keep);
    if (reasons.size > 0) this.#pins.set(keep, reasons);
    if (definition) this.#define(keep, definition);
    return true;
  }

  #mergeSums(x: Atom, y: Atom): boolean {
    const ends = (sum: Atom) => {
      let end = 0;
      return this.#parts(sum).map((part) => {
        end += sizeOf(part);
        return end;
      });
    };
    const bounds = [...new Set([...ends(x), ...ends(y)])].sort((a, b) => a - b);
    const sizes = bounds.map((end, index) => end - (bounds[index - 1] ?? 0));
    const left = this.#tryCut([x], sizes);
    const right = this.#tryCut([y], sizes);
    return (
      left !== undefined && right !== undefined && left.every((part, index) => this.#tryUnify(part, right[index] ?? []))
    );
  }

  /** Writes an atom as [outer, size / outer]; undefined where a sum has no such factor. */
  #factor(atom: Atom, outer: number): Atom[] | undefined {
    if (atom.size % outer !== 0) return undefined;
    const inner = atom.size / outer;
    if (!this.#definitions.has(atom)) {
      this.#define(atom, { kind: 'product', atoms: [this.fresh(outer), this.fresh(inner)] });
      return this.#resolve([atom]);
    }
    // A sum has an inner factor that all its parts share.
    const parts = this.#parts(atom);
    if (outer === 1 || parts.some((part) => sizeOf(part) % inner !== 0)) return undefined;
    const split = parts.map((part) => this.#tryRegroup(part, [sizeOf(part) / inner, inner]));
    const outers: AxisAtoms[] = [];
    let shared: AxisAtoms | undefined;
    for (const groups of split) {
      const [head, tail] = groups ?? [];
      if (!head || !tail || (shared && !this.#tryUnify(shared, tail))) return undefined;
      outers.push(head);
      shared ??= tail;
    }
    this.#define(atom, { kind: 'product', atoms: [this.#sum(outers), ...(shared ?? [])] });
    return this.#resolve([atom]);
  }

  #tryRegroup(atoms: AxisAtoms, sizes: readonly number[]): AxisAtoms[] | undefined {
    const queue = this.#resolve(atoms);
    const groups: Atom[][] = [];
    for (const size of sizes) {
      const group: Atom[] = [];
      groups.push(group);
      let remaining = size;
      if (size === 1) {
        if (queue[0] && queue[0].size > 1)
          queue.splice(0, 1, ...(this.#factor(queue[0], 1) ?? [this.fresh(1), queue[0]]));
        group.push(queue.shift() ?? this.fresh(1));
      }
      while (remaining > 1) {
        const atom = queue.shift();
        if (!atom) return undefined;
        if (remaining % atom.size === 0) {
          group.push(atom);
          remaining /= atom.size;
        } else {
          const factors = this.#factor(atom, remaining);
          if (!factors) return undefined;
          queue.unshift(...factors);
        }
      }
    }
    // Size-1 atoms go with the axis inside them; those at the very end with the last axis.
    if (queue.some((atom) => atom.size > 1)) return undefined;
    groups.at(-1)?.push(...queue);
    return groups;
  }

  #tryCut(axis: AxisAtoms, sizes: readonly number[]): AxisAtoms[] | undefined {
    const atoms = this.#resolve(axis);
    const first = atoms.findIndex((atom) => atom.size > 1);
    const outer = atoms[first];
    if (!outer) return undefined;
    const inner = atoms.slice(first + 1);
    const stride = sizeOf(inner);
    if (sizes.some((size) => size % stride !== 0)) return undefined;
    return this.#cutAtom(
      outer,
      sizes.map((size) => size / stride),
    )?.map((part) => [...part, ...inner]);
  }

  #cutAtom(atom: Atom, sizes: readonly number[]): AxisAtoms[] | undefined {
    if (!this.#definitions.has(atom)) {
      const parts = sizes.map((size) => [this.fresh(size)]);
      this.#define(atom, { kind: 'sum', parts: parts.filter((part) => sizeOf(part) > 0) });
      return parts;
    }
    const queue = this.#parts(atom);
    const result: AxisAtoms[] = [];
    for (const size of sizes) {
      const taken: AxisAtoms[] = [];
      let missing = size;
      while (missing > 0) {
        const part = queue.shift();
        if (!part) return undefined;
        const partSize = sizeOf(part);
        if (partSize <= missing) {
          taken.push(part);
          missing -= partSize;
        } else {
          const halves = this.#tryCut(part, [missing, partSize - missing]);
          if (!halves) return undefined;
          queue.unshift(...halves);
        }
      }
      result.push(size === 0 ? [this.fresh(0)] : this.concatenate(taken));
    }
    return result;
  }

  /** Pins an axis whose new layout cannot be followed, and gives pinned fresh axes in its place. */
  #scramble(axis: AxisAtoms, sizes: readonly number[], reason: string): AxisAtoms[] {
    this.pin(axis, reason);
    return sizes.map((size) => {
      const atom = this.fresh(size);
      this.pin([atom], reason);
      return [atom];
    });
  }
}
