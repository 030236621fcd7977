import type { LayerGroups } from '../importance/structures/structures.ts';
import type { LayerPlan } from './plan.ts';

/** How many groups of a kind stay, over all layers. */
export interface KindShare {
  readonly kind: 'attention' | 'convolution' | 'experts' | 'neurons';
  /** 'attention groups', … */
  readonly noun: string;
  readonly kept: number;
  readonly all: number;
}

const NOUNS = {
  attention: 'attention groups',
  convolution: 'convolution channels',
  experts: 'experts',
  neurons: 'neurons',
} as const;

/** What kinds of groups a model has, in the order in which a token meets them, with what stays of each by a plan. An expert stays with any of its neurons. */
export function kindShares(groups: readonly LayerGroups[], layers: readonly LayerPlan[]): KindShare[] {
  const counts = { attention: [0, 0], convolution: [0, 0], experts: [0, 0], neurons: [0, 0] };
  const add = (kind: KindShare['kind'], kept: number, all: number) => {
    counts[kind][0] = (counts[kind][0] ?? 0) + kept;
    counts[kind][1] = (counts[kind][1] ?? 0) + all;
  };
  for (const [layer, { attention, convolution, mlp }] of groups.entries()) {
    const plan = layers[layer];
    add('attention', plan?.attention.length ?? attention.groups, attention.groups);
    if (convolution) add('convolution', plan?.convolution?.length ?? convolution.groups, convolution.groups);
    add('neurons', plan?.mlp.length ?? mlp.groups, mlp.groups);
    if (mlp.experts) add('experts', keptExperts(mlp.experts, plan?.mlp), mlp.experts.length);
  }
  return Object.entries(counts).flatMap(([kind, [kept = 0, all = 0]]) =>
    all === 0 ? [] : [{ kind: kind as KindShare['kind'], noun: NOUNS[kind as KindShare['kind']], kept, all }],
  );
}

/** How one of a layer's groups, and several of them, are called. Convolutions stand in place of attention. */
export function groupNoun(
  groups: LayerGroups | undefined,
  module: 'attention' | 'mlp',
): { readonly one: string; readonly many: string } {
  if (module === 'mlp')
    return groups?.mlp.experts
      ? { one: 'neuron of experts', many: 'neurons of experts' }
      : { one: 'neuron', many: NOUNS.neurons };
  return groups?.convolution
    ? { one: 'convolution channel', many: NOUNS.convolution }
    : { one: 'attention group', many: NOUNS.attention };
}

/** @param experts neurons of each, in the order of their indices */
function keptExperts(experts: readonly number[], kept: readonly number[] | undefined): number {
  if (!kept) return experts.length;
  const neurons = new Set(kept);
  let start = 0;
  return experts.filter((count) => {
    const isKept = Array.from({ length: count }, (_, neuron) => start + neuron).some((neuron) => neurons.has(neuron));
    start += count;
    return isKept;
  }).length;
}
