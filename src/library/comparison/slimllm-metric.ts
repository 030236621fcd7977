import { type HostWeights, readWeights } from '../../architecture/weights.ts';
import { MismatchError, UnsupportedError } from '../../errors.ts';
import { groupTable } from '../../importance/structures/group-table.ts';
import { type LinearMember, linearMembers } from '../../importance/structures/linear-members.ts';
import type { Scores } from '../../importance/sums/scores.ts';
import type { LongRunning } from '../../progress.ts';
import type { DeviceTensor } from '../../runtime/runtime.ts';
import { channelStatistics } from '../../surgery/channel-statistics.ts';
import { inputsOf } from '../../surgery/compensate.ts';
import { layerByLayer } from '../../surgery/layer-by-layer.ts';
import {
  type ObservedLinear,
  slimAttentionOrder,
  slimLayerShares,
  slimNeuronScores,
  slimPriorities,
} from '../../surgery/slimllm.ts';
import type { OpenModel } from '../open-model.ts';

/**
 * The order in which SlimLLM's groups go, as one priority a group [groups] in the order of `groupTable`, from the activations of the dense model. `scores`: with the metric `depth`, whose cosines say
 * what each layer's share is.
 */
export async function slimMetric(
  open: OpenModel,
  windows: readonly ArrayLike<number>[],
  scores: Scores,
  options: LongRunning,
): Promise<Float64Array> {
  const { checkpoint, architecture } = open.model;
  const table = groupTable(open.layerGroups());
  const values = new Float64Array(table.length);
  const shares = slimLayerShares(scores.layers.map(({ mlp }) => 1 - (mlp.depth?.[0] ?? 1)));
  await layerByLayer(
    open.programs,
    open.store,
    windows,
    async (layer, states) => {
      const host = await readWeights(checkpoint, architecture.blockWeights(layer));
      for (const { kind, order } of await layerOrders(open, layer, host, states, options)) {
        const segment = table.segments.find((each) => each.layer === layer && each.module === kind);
        if (segment) values.set(slimPriorities(order, shares[layer] ?? 0), segment.start);
      }
      return host;
    },
    { signal: options.signal },
  );
  return values;
}

async function layerOrders(
  open: OpenModel,
  layer: number,
  host: HostWeights,
  states: readonly DeviceTensor[],
  options: LongRunning,
): Promise<{ readonly kind: 'attention' | 'mlp'; readonly order: readonly number[] }[]> {
  const { architecture } = open.programs;
  const structures = open.structuresOf(layer);
  const members = linearMembers(architecture.block(architecture.kind(layer)), structures);
  const known = new Map<string, Promise<ObservedLinear['statistics']>>();
  const observe = async (member: LinearMember): Promise<ObservedLinear> => {
    const weight = host[member.weight];
    if (!weight) throw new MismatchError(`Layer ${layer} has no weight ${member.weight}.`);
    const [outputs = 0, inputs = 0] = weight.shape;
    // Gate and up read the same values.
    const statistics =
      known.get(member.input) ??
      channelStatistics(open.programs, inputsOf(open.programs, layer, member, host, states, options), true);
    known.set(member.input, statistics);
    return { weight: weight.data as Float32Array, outputs, inputs, statistics: await statistics };
  };
  const orders: { kind: 'attention' | 'mlp'; order: readonly number[] }[] = [];
  for (const { kind, groups, members: slices } of structures) {
    const own = members.filter(({ weight }) => slices.some((slice) => slice.weight === weight));
    const projection = own.find(({ axis }) => axis === 1);
    const slice = slices.find(({ weight }) => weight === projection?.weight);
    if (!projection || !slice) throw new MismatchError(`The ${kind} of layer ${layer} has no output projection.`);
    const output = await observe(projection);
    if (kind === 'attention') {
      orders.push({ kind, order: slimAttentionOrder(output, slice.groupOfChannel, groups) });
      continue;
    }
    const entering: ObservedLinear[] = [];
    for (const member of own) if (member.axis === 0) entering.push(await observe(member));
    if (kind !== 'mlp')
      throw new UnsupportedError(
        `SlimLLM scores attention and MLPs; layer ${layer} has groups of another kind, ${kind}. Compare other methods.`,
      );
    const scores = slimNeuronScores(entering, output);
    orders.push({ kind, order: [...scores.keys()].sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0)) });
  }
  return orders;
}
