/** What discovery finds in a block (docs/method.md section 1): plain data that importance, planning and surgery share. */

/** One weight's part in a coupled structure: which group each index along `axis` belongs to. */
export interface MemberSlice {
  /** Graph input of the block program, e.g. 'attention.query'. */
  readonly weight: string;
  readonly axis: number;
  /** [size of the axis]: group of each channel, or -1 for channels outside the structure. */
  readonly groupOfChannel: Int32Array;
}

/** What groups of a layer can be: key/value heads, channels of a convolution, neurons; in this order where a layer's are listed. */
export type Module = 'attention' | 'convolution' | 'mlp';
export const MODULES: readonly Module[] = ['attention', 'convolution', 'mlp'];

/** A set of groups that can be removed one by one: the key/value heads of a layer, the channels of its convolution, or its neurons. */
export interface CoupledStructure {
  readonly kind: Module;
  readonly groups: number;
  readonly parametersPerGroup: number;
  readonly members: readonly MemberSlice[];
}

/** How many groups a module of a layer has, and how large one is. */
export interface GroupCount {
  /** How many. */
  readonly groups: number;
  /** Weights that go with one. */
  readonly parametersPerGroup: number;
  /** Of neurons that belong to experts: how many each expert has, in the order of the groups. */
  readonly experts?: readonly number[];
  /** Experts that a token goes to. */
  readonly perToken?: number;
  /** Groups that stay whatever is planned, where they are experts. */
  readonly minimum?: number;
}

/** Group counts and parameters per group of one layer, as discovery finds them. A layer that convolves in place of attending has no attention groups. */
export interface LayerGroups {
  /** Attention groups: a key and value head with its query heads. */
  readonly attention: GroupCount;
  /** Channels of a short convolution, where the layer has one. */
  readonly convolution?: GroupCount;
  /** Neurons of the MLP. */
  readonly mlp: GroupCount;
  /** Parameters that belong to no group and go with the whole layer, where that has a recurrence. */
  readonly beside?: number;
}

/** Parameters of all groups of a layer. */
export function groupParameters(layer: LayerGroups): number {
  return MODULES.reduce((sum, module) => {
    const { groups = 0, parametersPerGroup = 0 } = layer[module] ?? {};
    return sum + groups * parametersPerGroup;
  }, 0);
}
