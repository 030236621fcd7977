import { describe, expect, it, test } from 'vitest';
import { elementCount } from '../arrays.ts';
import { multiplyAccumulates } from '../passes/multiply-accumulates.ts';
import { widthBindings } from './block-weights.ts';
import { modelOf } from './model.ts';
import { perToken, tokenCosts } from './multiply-accumulates.ts';
import { FIXTURES, openFixture } from './testing/fixture.ts';

describe.each(FIXTURES)('a token of %s', (name) => {
  it('costs what its programs cost at the widths of its layers', async () => {
    const { checkpoint } = await openFixture(name);
    const { architecture } = modelOf(checkpoint);
    const { config } = architecture;
    const costs = tokenCosts(architecture);
    const tokens = costs.context;
    const blocks = config.layerWidths.reduce((sum, widths, layer) => {
      const bindings = { batch: 1, tokens, ...widthBindings(config, widths) };
      const hasBias = architecture.blockWeights(layer).some(({ input }) => input === 'mlp.expertBias');
      const perExpert = (hasBias ? 2 : 1) * config.hiddenSize + widths.neurons;
      const router = tokens * (widths.experts?.length ?? 0) * perExpert;
      const block = architecture.block(architecture.kind(layer));
      const { recurrence } = config;
      if (!widths.recurrent || !recurrence) return sum + multiplyAccumulates(block, bindings) - router;
      // In chunks a window costs more than what decoding does token after token: its projections, and three products with each state.
      const { valueHeads, keyDimension, valueDimension } = recurrence;
      const states = 3 * valueHeads * keyDimension * valueDimension;
      const weights = architecture.blockWeights(layer).filter(({ shape }) => shape.length === 2);
      return sum + tokens * (weights.reduce((all, { shape }) => all + elementCount(shape), 0) + states);
    }, 0);
    const head = config.vocabulary * config.hiddenSize;
    expect(perToken(costs, config.layerWidths)).toBe(blocks / tokens + head);
    const removed = config.layerWidths.map(() => ({ keyValueHeads: 0, neurons: 0 }));
    expect(perToken(costs, removed)).toBe(head);
  });
});

test('a LLaMA multiplies every weight of a matrix once, and keys and values of the context once for every query head', async () => {
  const { checkpoint } = await openFixture('llama');
  const { architecture } = modelOf(checkpoint);
  const { hiddenSize, headDimension, queryHeads, keyValueHeads, maximumPositions } = architecture.config;
  const costs = tokenCosts(architecture);
  const queries = queryHeads / keyValueHeads;
  expect(costs.context).toBe(Math.min(2048, maximumPositions));
  expect(costs.neuron).toBe(3 * hiddenSize);
  expect(costs.keyValueHead).toBe(
    hiddenSize * headDimension * (2 * queries + 2) + 2 * queries * headDimension * costs.context,
  );
});
