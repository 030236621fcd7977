import { describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { decoderGraph } from './decoder-graph.ts';
import { sensitiveNote, sensitiveTensors } from './sensitive.ts';

const values = (layer: number) => `model.layers.${layer}.self_attn.v_proj.weight`;
const down = (layer: number) => `model.layers.${layer}.mlp.down_proj.weight`;

describe('sensitiveTensors', () => {
  test('are the projections of values and the down projections at both ends, in q4 alone', () => {
    const model = modelOf(randomLlama({ layers: 18 }));
    const expected = [...Array(18).keys()].flatMap((layer) =>
      [0, 16, 17].includes(layer) ? [values(layer), down(layer)] : [values(layer)],
    );
    expect([...sensitiveTensors(model, 'q4')].toSorted()).toEqual(expected.toSorted());
    for (const dataType of ['f32', 'f16', 'q8', undefined] as const)
      expect(sensitiveTensors(model, dataType).size).toBe(0);
  });

  test('the ends are those of the layers that have an MLP; what lies on a grid of 4 bits stays there', () => {
    const checkpoint = randomLlama({ layers: 4 });
    const { architecture } = modelOf(checkpoint);
    const layerWidths = architecture.config.layerWidths.map((widths, layer) =>
      layer === 0 || layer === 3 ? { ...widths, neurons: 0 } : widths,
    );
    const info = checkpoint.tensors.get(values(2));
    if (!info) throw new Error('There is no such tensor.');
    const tensors = new Map(checkpoint.tensors).set(values(2), { ...info, grids: { bits: 4, block: 32 } });
    const model = {
      checkpoint: { ...checkpoint, tensors },
      architecture: { ...architecture, config: { ...architecture.config, layerWidths } },
    };
    expect([...sensitiveTensors(model, 'q4')].toSorted()).toEqual(
      [values(0), values(1), values(3), down(2)].toSorted(),
    );
  });
});

test('the note says how many matrices are in 8 bits, and their share', () => {
  const model = modelOf(
    randomLlama({ layers: 2, hiddenSize: 64, neurons: 96, queryHeads: 4, keyValueHeads: 2, headDimension: 16 }),
  );
  // Of 64 x (64 + 32 + 32 + 64 + 3 x 96) weights a layer, values have 64 x 32 in both and the last down projection 64 x 96.
  const share = (100 * (2 * 32 + 96)) / (2 * 480);
  expect(sensitiveNote(model, 'q4')).toContain(`3 matrices that cost accuracy most, ${share.toFixed(1)}% of`);
  expect(sensitiveNote(model, 'q8')).toBeUndefined();
});

test('a q4 decoder has a product of 8 bits for values beside that of queries and keys', () => {
  const { graph } = decoderGraph(modelOf(randomLlama({ layers: 1, headDimension: 16 })), { dataType: 'q4' });
  const bits = graph.nodes
    .filter(({ operator }) => operator === 'MatMulNBits')
    .map(({ attributes }) => attributes.bits);
  // Queries and keys, values, attention's output, gate, up, down, the output matrix.
  expect(bits).toEqual([4, 8, 4, 4, 4, 8, 8].map((value) => ({ kind: 'int', value })));
});
