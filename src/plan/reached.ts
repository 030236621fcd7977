import { groupTable } from '../importance/structures/group-table.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { type KindShare, kindShares } from './kinds.ts';
import type { Plan } from './plan.ts';
import { type StorageCost, storageFor, weightBytes } from './search/storage.ts';
import { headDimension } from './search/target.ts';
import { keptTokens, withVocabulary } from './search/vocabulary.ts';

interface Share {
  readonly kept: number;
  readonly all: number;
}

/** What a plan did to reach its target. */
export interface Reached {
  readonly attentionGroups: Share;
  /** Of models with short convolutions. */
  readonly convolutionChannels?: Share;
  /** Of mixtures of experts. */
  readonly experts?: Share;
  readonly neurons: Share;
  /** Undefined where the model's config does not tell. */
  readonly tokens: Share | undefined;
  /** Bytes of the export, as scores tell: see `storageFor`. */
  readonly weightBytes: number;
  /** Bytes of the key/value cache, for a target in memory. */
  readonly cacheBytes: number | undefined;
}

/** Counts what stays of a model by a plan, in the unit of its target. */
export function reached(
  {
    groups,
    model: whole,
  }: { readonly groups: Scores['groups']; readonly model: Pick<Scores['model'], 'parameters' | 'config'> },
  { recipe: { target, dtype = 'f32', vocabulary }, layers, parametersAfter }: Plan,
): Reached {
  const { parameters } = groupTable(groups);
  const model = withVocabulary(whole, vocabulary, parameters);
  const cost = storageFor(dtype, model, { parameters });
  const other = model.parameters - parameters;
  const shares = kindShares(groups, layers);
  const share = (kind: KindShare['kind']): Share | undefined => {
    const found = shares.find((each) => each.kind === kind);
    return found && { kept: found.kept, all: found.all };
  };
  const none = { kept: 0, all: 0 };
  const attentionGroups = share('attention') ?? none;
  const [convolutionChannels, experts] = [share('convolution'), share('experts')];
  const { vocab_size: tokens } = whole.config;
  return {
    attentionGroups,
    ...(convolutionChannels && { convolutionChannels }),
    ...(experts && { experts }),
    neurons: share('neurons') ?? none,
    tokens: typeof tokens === 'number' ? { kept: keptTokens(vocabulary, tokens), all: tokens } : undefined,
    weightBytes: weightBytes({ block: parametersAfter - other, other }, cost),
    cacheBytes:
      target.kind === 'memory' ? cacheBytes(whole.config, attentionGroups.kept, target.context, cost) : undefined,
  };
}

/** Keys and values of so many tokens in every attention group: what a target in memory counts beside the export. */
export function cacheBytes(
  config: Scores['model']['config'],
  groups: number,
  context: number,
  cost: Pick<StorageCost, 'cache'>,
): number {
  return 2 * headDimension(config) * context * groups * cost.cache;
}

/** What a plan did to get to its target, in a sentence or two. */
export function reachedSentence(found: Reached, { recipe: { target, dtype = 'f32' } }: Plan): string {
  const {
    attentionGroups,
    convolutionChannels,
    experts,
    neurons,
    tokens,
    weightBytes: weights,
    cacheBytes: cache,
  } = found;
  const share = ({ kept, all }: Share, what: string) => `${count(kept)} of ${count(all)} ${what}`;
  const stays = [share(attentionGroups, 'attention groups')];
  if (convolutionChannels) stays.push(share(convolutionChannels, 'convolution channels'));
  if (experts) stays.push(share(experts, 'experts'));
  stays.push(share(neurons, 'neurons'));
  if (tokens) stays.push(share(tokens, 'tokens of the vocabulary'));
  const kept = `${stays.slice(0, -1).join(', ')} and ${stays.at(-1)} stay.`;
  switch (target.kind) {
    case 'ratio':
      return kept;
    case 'parameters':
      return `At most ${count(target.value)} parameters: ${kept}`;
    case 'bytes':
      return `At most ${megabytes(target.value)} in ${dtype}: about ${megabytes(weights)} of weights are left, ${kept}`;
    case 'memory':
      return `At most ${megabytes(target.value)} in ${dtype} with ${count(target.context)} tokens of context: about ${megabytes(weights)} of weights and ${megabytes(cache ?? 0)} of cache are left, ${kept}`;
  }
}

const count = (value: number) => value.toLocaleString('en-US');
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)} MB`;
