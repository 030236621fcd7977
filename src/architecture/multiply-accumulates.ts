import { multiplyAccumulates } from '../passes/multiply-accumulates.ts';
import type { Architecture, LayerWidths } from './architecture.ts';

/** What one token costs, in multiply-accumulates of the matrix products: every part of a block grows in proportion to its groups. */
export interface TokenCosts {
  /** Positions that the token attends to. */
  readonly context: number;
  /** Of one key/value head with its query heads: its share of the projections, and its products with keys and values of the context. */
  readonly keyValueHead: number;
  readonly neuron: number;
  /** Of the matrix that gives the logits. */
  readonly head: number;
}

/** Positions that figures are told for: 2,048, or as many as the model takes. */
const USUAL_CONTEXT = 2048;

/** The costs of one token of `architecture` with a context of 2,048 tokens, or of as many as the model takes; counted on its programs, at any widths. */
export function tokenCosts(architecture: Architecture): TokenCosts {
  const { headDimension, queryHeads, keyValueHeads, maximumPositions } = architecture.config;
  const context = Math.min(USUAL_CONTEXT, maximumPositions);
  const block = architecture.block();
  const at = (heads: number, neurons: number) => {
    const keyChannels = heads * headDimension;
    const queryChannels = keyChannels * (queryHeads / keyValueHeads);
    return multiplyAccumulates(block, { batch: 1, tokens: context, neurons, keyChannels, queryChannels }) / context;
  };
  const one = at(1, 1);
  return {
    context,
    keyValueHead: at(2, 1) - one,
    neuron: at(1, 2) - one,
    head: multiplyAccumulates(architecture.head(), { rows: 1 }),
  };
}

/** Multiply-accumulates of one token through layers of these widths and the head. */
export function perToken(costs: TokenCosts, layers: readonly LayerWidths[]): number {
  return layers.reduce(
    (sum, { keyValueHeads, neurons }) => sum + keyValueHeads * costs.keyValueHead + neurons * costs.neuron,
    costs.head,
  );
}
