import { familyTitle } from '../architecture/family-titles.ts';
import { countParameters } from '../architecture/model.ts';
import { perToken, tokenCosts } from '../architecture/multiply-accumulates.ts';
import { groupParameters, type LayerGroups } from '../importance/structures/structures.ts';
import type { OpenModel } from './open-model.ts';

/** What `inspect` tells about a model (docs/architecture.md section 7.1). */
export interface Inspection {
  /** Shown to people. */
  readonly name: string;
  /** 'llama', 'qwen2', … */
  readonly architecture: string;
  /** What the family is called, as docs/models.md lists it. */
  readonly family: string;
  /** Of the weight files. */
  readonly format: string;
  /** As the model card names it. */
  readonly licence: string | undefined;
  /** Of the whole model. */
  readonly parameters: number;
  /** Of its blocks. */
  readonly blockParameters: number;
  /** That belong to groups. */
  readonly prunableParameters: number;
  /** Groups of every layer. */
  readonly layers: readonly LayerGroups[];
  /** Numbers of a token's state between blocks. */
  readonly hiddenSize: number;
  /** Numbers of a head. */
  readonly headDimension: number;
  /** Query heads that share a key and value head. */
  readonly queryHeadsPerGroup: number;
  /** Tokens that it knows. */
  readonly vocabulary: number;
  /** Of the weight files. */
  readonly bytes: number;
  /** Multiply-accumulates of one token that attends to `context` positions, in the matrix products of blocks and head. */
  readonly multiplyAccumulates: {
    /** Tokens that stand before the one that is counted. */
    readonly context: number;
    /** Multiply-accumulates of one token. */
    readonly perToken: number;
  };
  /** What was decided on the file's own word against that of its config. */
  readonly notes: readonly string[];
  /** Members of the coupled structures of the first layer that has any: which slice of which weight one group owns. */
  readonly structures: readonly {
    /** Which module. */
    readonly kind: string;
    /** How many there are. */
    readonly groups: number;
    /** Weights that go with one. */
    readonly parametersPerGroup: number;
    /** Rows and columns of weights that one owns, in words. */
    readonly members: readonly string[];
  }[];
}

/** Describes a model and the groups that discovery finds; reads no weights. */
export function inspect(open: OpenModel): Inspection {
  const { config } = open;
  const { parameters, blockParameters } = countParameters(open.model);
  const layers = open.layerGroups();
  const shown = layers.findIndex(({ attention }) => attention.groups > 0);
  const { provenance, byteLength } = open.model.checkpoint;
  const costs = tokenCosts(open.model.architecture);
  return {
    name: provenance.name,
    architecture: config.architecture,
    family: familyTitle(config.architecture),
    format: provenance.format,
    licence: provenance.licence,
    parameters,
    blockParameters,
    prunableParameters: layers.reduce((sum, layer) => sum + groupParameters(layer), 0),
    layers,
    hiddenSize: config.hiddenSize,
    headDimension: config.headDimension,
    queryHeadsPerGroup: config.queryHeads / config.keyValueHeads,
    vocabulary: config.vocabulary,
    bytes: byteLength,
    multiplyAccumulates: { context: costs.context, perToken: perToken(costs, config.layerWidths) },
    notes: open.model.checkpoint.notes ?? [],
    structures: open.structuresOf(Math.max(0, shown)).map(({ kind, groups, parametersPerGroup, members }) => ({
      kind,
      groups,
      parametersPerGroup,
      members: members.map(({ weight, axis, groupOfChannel }) => {
        const perGroup = groupOfChannel.filter((group) => group === 0).length;
        const unit = `${axis === 0 ? 'row' : 'column'}${perGroup === 1 ? '' : 's'}`;
        const shown = [...new Set([0, groups - 1])].map(
          (group) => `${unit} ${sliceOf(groupOfChannel, group)} in group ${group}`,
        );
        return `${weight}: ${perGroup} ${unit} (${shown.join(', ')})`;
      }),
    })),
  };
}

/** The channels of a group as ranges: '0 to 63', or '3', or '0 to 7 and 32 to 39'. */
function sliceOf(groupOfChannel: Int32Array, group: number): string {
  const ranges: { readonly from: number; to: number }[] = [];
  for (const [channel, owner] of groupOfChannel.entries()) {
    if (owner !== group) continue;
    const last = ranges.at(-1);
    if (last?.to === channel - 1) last.to = channel;
    else ranges.push({ from: channel, to: channel });
  }
  return ranges.map(({ from, to }) => (from === to ? `${from}` : `${from} to ${to}`)).join(' and ');
}
