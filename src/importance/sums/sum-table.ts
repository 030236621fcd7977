import { elementCount } from '../../arrays.ts';
import type { CoupledStructure, MemberSlice } from '../structures/structures.ts';

export type Numbers = Float32Array | Float64Array;

/** What a run must compute: gradients of activations, gradients of weights, moments of inputs, energies of inputs and of gradients of outputs, the weights themselves, the states around a block. */
export type Need = 'gradients' | 'elements' | 'moments' | 'energies' | 'weights' | 'states';

export interface SumKind {
  /** Each array belongs to a structure, to one of its members (a matrix, a matrix or kernel, another weight than a matrix, or a matrix whose columns are grouped), or to the layer. */
  readonly of: 'structure' | 'member' | 'matrix' | 'product' | 'column' | 'vector' | 'layer';
  /** It has a number for each group, channel (index along the grouped axis), weight of a matrix, element of another weight, input or output of a matrix, or one. */
  readonly per: 'group' | 'channel' | 'weight' | 'element' | 'input' | 'output' | 'one';
  readonly type: 'F32' | 'F64';
  readonly needs: Need;
  /** Arrays over two sets of windows add up, are the same, or cannot be joined: then what they are closed from is kept until all windows have been seen. */
  readonly joins: 'add' | 'same' | 'never';
  /** Known when the last window has passed the layer, from these sums or from the weights alone. Without it a sum grows window by window. */
  readonly closedFrom?: readonly string[];
}

const perWindow = { joins: 'add', type: 'F64' } as const;
const ENERGIES = ['input-energy', 'gradient-energy'] as const;
const constant = { joins: 'same', type: 'F64', needs: 'weights', closedFrom: [] } as const;

/**
 * All that scoring adds up over windows, for one layer; metrics follow from it (`metrics.ts`). v_jm, e_j and g_j as in docs/method.md section 2; the array of an owner is called `{name}/{owner}`,
 * where the owner is the kind of a structure or the name of a weight.
 *
 * `element-first` and `element-mixed` take the absolute value after the mean over windows, so no sum smaller than one number per weight adds up exactly: `first` and `second` are as large as
 * the blocks. Within a layer they have the form in which the engine sums (some kernels multiply by w and w^2 only when the layer is closed); a shard keeps them only for these two metrics.
 */
export const SUMS = {
  /** sum_j v_jm, v_jm^2 */
  signed: { of: 'member', per: 'group', needs: 'gradients', ...perWindow },
  'signed-squares': { of: 'member', per: 'group', needs: 'gradients', ...perWindow },
  /** sum_j (sum_m v_jm)^2 */
  'joint-squares': { of: 'structure', per: 'group', needs: 'gradients', ...perWindow },
  /** sum_j e_j, e_j^2 */
  absolute: { of: 'structure', per: 'group', needs: 'elements', ...perWindow },
  'absolute-squares': { of: 'structure', per: 'group', needs: 'elements', ...perWindow },
  /** sum_j w g_j, (w g_j)^2 */
  first: { of: 'matrix', per: 'weight', needs: 'elements', joins: 'add', type: 'F32' },
  second: { of: 'matrix', per: 'weight', needs: 'elements', joins: 'add', type: 'F32' },
  'bias-first': { of: 'vector', per: 'element', needs: 'gradients', ...perWindow },
  'bias-second': { of: 'vector', per: 'element', needs: 'gradients', ...perWindow },
  /** sum_j sum_k (w_k g_jk)^2 over a channel's weights k; sum_k abs(mean_j w_k g_jk); sum_k abs(mean_j w_k g_jk - 1/2 mean_j (w_k g_jk)^2) */
  'second-channels': {
    of: 'member',
    per: 'channel',
    needs: 'elements',
    ...perWindow,
    closedFrom: ['second', 'bias-second'],
  },
  'first-total': {
    ...{ of: 'member', per: 'channel', needs: 'elements', joins: 'never', type: 'F64' },
    closedFrom: ['first', 'bias-first'],
  },
  'mixed-total': {
    ...{ of: 'member', per: 'channel', needs: 'elements', joins: 'never', type: 'F64' },
    closedFrom: ['first', 'second', 'bias-first', 'bias-second'],
  },
  /** Of a projection's inputs, over all token positions. */
  'input-sum': { of: 'column', per: 'channel', needs: 'moments', ...perWindow },
  'input-squares': { of: 'column', per: 'channel', needs: 'moments', ...perWindow },
  /** Over all token positions t: sum_t x_ti^2 of the inputs of a linear layer or a convolution, sum_t dy_to^2 of the gradients of its outputs. */
  'input-energy': { of: 'product', per: 'input', needs: 'energies', ...perWindow },
  'gradient-energy': { of: 'product', per: 'output', needs: 'energies', ...perWindow },
  /** Of each channel: the energy on the grouped side, and on the other side the sum over the channel's weights of w^2 times the energy. */
  'own-energy': { of: 'member', per: 'channel', needs: 'energies', ...perWindow, closedFrom: ENERGIES },
  'other-energy': { of: 'member', per: 'channel', needs: 'energies', ...perWindow, closedFrom: ENERGIES },
  /** Sums of |w| and w^2 over the rows of each column, and the number of rows; the same over all weights of a group. */
  'column-absolute': { of: 'column', per: 'channel', ...constant },
  'column-squares': { of: 'column', per: 'channel', ...constant },
  outputs: { of: 'column', per: 'one', ...constant },
  'magnitude-l1': { of: 'structure', per: 'group', ...constant },
  'magnitude-l2': { of: 'structure', per: 'group', ...constant },
  /** sum_j of the mean cosine between the block's input and output; known before the first window passes back. */
  cosine: { of: 'layer', per: 'one', needs: 'states', ...perWindow, closedFrom: [] },
} as const satisfies Readonly<Record<string, SumKind>>;

export type SumName = keyof typeof SUMS;
const SUM_NAMES = Object.keys(SUMS) as readonly SumName[];

/** A row of the table. */
export const sumKind = (name: SumName): SumKind => SUMS[name];

/** The coupled structures of a layer and the shapes of their weights: what its sums are about. */
export interface LayerLayout {
  readonly structures: readonly CoupledStructure[];
  /** Of a member: [outputs, inputs], [outputs] of a bias, [channels, 1, taps] of a convolution's kernel. */
  readonly shapeOf: (weight: string) => readonly number[];
}

/** The sums that grow while windows pass a layer. */
export function openSums(needs: ReadonlySet<Need>): ReadonlySet<SumName> {
  return new Set(SUM_NAMES.filter((name) => !sumKind(name).closedFrom && needs.has(sumKind(name).needs)));
}

/** What a sum is called that belongs to `owner`. */
export function sumKey(name: SumName, owner: string): string {
  return owner === '' ? name : `${name}/${owner}`;
}

/** The owners of a sum in one structure. Those of the layer own it in each of its structures, under no name. */
export function ownersOf(name: SumName, structure: CoupledStructure, { shapeOf }: LayerLayout): readonly string[] {
  const { of } = sumKind(name);
  if (of === 'layer') return [''];
  if (of === 'structure') return [structure.kind];
  return structure.members.filter((member) => owns(of, member, shapeOf(member.weight))).map(({ weight }) => weight);
}

function owns(of: SumKind['of'], { axis }: MemberSlice, shape: readonly number[]): boolean {
  if (of === 'member') return true;
  if (of === 'vector') return shape.length !== 2;
  if (of === 'product') return shape.length > 1;
  return shape.length === 2 && (of === 'matrix' || axis === 1);
}

/** An array of a layer: what it is called, and how many numbers of which type it has. */
export interface DeclaredSum {
  readonly key: string;
  readonly type: 'F32' | 'F64';
  readonly length: number;
}

/** The arrays of these sums for a layer: exactly those that a run makes. A layer without structures has none. */
export function declaredSums(names: ReadonlySet<SumName>, layout: LayerLayout): DeclaredSum[] {
  const found = new Map<string, DeclaredSum>();
  for (const name of SUM_NAMES.filter((known) => names.has(known))) {
    const { per, type } = sumKind(name);
    for (const structure of layout.structures) {
      for (const owner of ownersOf(name, structure, layout)) {
        const key = sumKey(name, owner);
        found.set(key, { key, type, length: lengthOf(per, structure, owner, layout) });
      }
    }
  }
  return [...found.values()];
}

function lengthOf(per: SumKind['per'], structure: CoupledStructure, owner: string, { shapeOf }: LayerLayout): number {
  if (per === 'group') return structure.groups;
  if (per === 'one') return 1;
  if (per === 'weight' || per === 'element') return elementCount(shapeOf(owner));
  if (per === 'input' || per === 'output') {
    const shape = shapeOf(owner);
    // A convolution has an input and an output a channel.
    return shape[per === 'output' || shape.length > 2 ? 0 : 1] ?? 0;
  }
  return structure.members.find(({ weight }) => weight === owner)?.groupOfChannel.length ?? 0;
}
