/** What discovery finds in a block (docs/method.md section 1): plain data that importance, planning and surgery share. */

/** One weight's part in a coupled structure: which group each index along `axis` belongs to. */
export interface MemberSlice {
  /** Graph input of the block program, e.g. 'attention.query'. */
  readonly weight: string;
  readonly axis: number;
  /** [size of the axis]: group of each channel, or -1 for channels outside the structure. */
  readonly groupOfChannel: Int32Array;
}

/** A set of groups that can be removed one by one: the key/value heads of a layer, or its neurons. */
export interface CoupledStructure {
  readonly kind: 'attention' | 'mlp';
  readonly groups: number;
  readonly parametersPerGroup: number;
  readonly members: readonly MemberSlice[];
}

/** Group counts and parameters per group of one layer, as discovery finds them. */
export interface LayerGroups {
  readonly attention: { readonly groups: number; readonly parametersPerGroup: number };
  readonly mlp: { readonly groups: number; readonly parametersPerGroup: number };
}
