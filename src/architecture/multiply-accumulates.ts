import { multiplyAccumulates } from '../passes/multiply-accumulates.ts';
import type { Architecture, LayerKind, LayerWidths, ModelConfig } from './architecture.ts';
import { widthBindings } from './block-weights.ts';

/** What one token costs, in multiply-accumulates of the matrix products: every part of a block grows in proportion to its groups. All experts are computed; routers, which are small beside them, are left out. */
export interface TokenCosts {
  /** Positions that the token attends to. */
  readonly context: number;
  /** Of one key/value head with its query heads: its share of the projections, and its products with keys and values of the context. */
  readonly keyValueHead: number;
  readonly neuron: number;
  /** Of one channel of a convolution: its share of the projections. */
  readonly channel: number;
  /** Of a recurrence, with all that feeds it. */
  readonly recurrence: number;
  /** Of the matrix that gives the logits. */
  readonly head: number;
}

/** Positions that figures are told for: 2,048, or as many as the model takes. */
const USUAL_CONTEXT = 2048;

/** The costs of one token of `architecture` with a context of 2,048 tokens, or of as many as the model takes; counted on its programs, at any widths. */
export function tokenCosts(architecture: Architecture): TokenCosts {
  const { config } = architecture;
  const context = Math.min(USUAL_CONTEXT, config.maximumPositions);
  const counter = (kind: LayerKind) => {
    const block = architecture.block(kind);
    return (widths: LayerWidths) =>
      multiplyAccumulates(block, { batch: 1, tokens: context, ...widthBindings(config, widths) }) / context;
  };
  const attending = counter('attention');
  const one = attending({ keyValueHeads: 1, neurons: 1 });
  const convolving = config.convolution && counter('convolution');
  const channels = (count: number) => convolving?.({ keyValueHeads: 0, neurons: 1, channels: count }) ?? 0;
  return {
    context,
    keyValueHead: attending({ keyValueHeads: 2, neurons: 1 }) - one,
    neuron: attending({ keyValueHeads: 1, neurons: 2 }) - one,
    channel: channels(2) - channels(1),
    recurrence: recurrenceCost(config),
    head: multiplyAccumulates(architecture.head(), { rows: 1 }),
  };
}

/** Projections, and three products with the state of each value head, token after token as decoding does them: what it predicts for a key, what is written, what a query reads. */
function recurrenceCost({ recurrence, hiddenSize }: ModelConfig): number {
  if (!recurrence) return 0;
  const { keyHeads, valueHeads, keyDimension, valueDimension } = recurrence;
  const projected = 2 * keyHeads * keyDimension + 3 * valueHeads * valueDimension + 2 * valueHeads;
  return projected * hiddenSize + 3 * valueHeads * keyDimension * valueDimension;
}

/** Multiply-accumulates of one token through layers of these widths and the head. */
export function perToken(costs: TokenCosts, layers: readonly LayerWidths[]): number {
  return layers.reduce(
    (sum, { keyValueHeads, neurons, channels = 0, recurrent = false }) =>
      sum +
      keyValueHeads * costs.keyValueHead +
      neurons * costs.neuron +
      channels * costs.channel +
      (recurrent ? costs.recurrence : 0),
    costs.head,
  );
}
