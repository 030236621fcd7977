import { expect, test } from 'vitest';
import { parseWeightName, type WeightName, weightName } from './weight-names.ts';

const NAMES: readonly (readonly [string, WeightName])[] = [
  ['model.embed_tokens.weight', { tensor: 'model.embed_tokens.weight', layout: 'plain' }],
  ['model.layers.0.self_attn.o_proj.bias', { tensor: 'model.layers.0.self_attn.o_proj.bias', layout: 'plain' }],
  ['model.norm.weight+1', { tensor: 'model.norm.weight', offset: 1, layout: 'plain' }],
  ['model.layers.3.mlp.up_proj.weight.transposed', { tensor: 'model.layers.3.mlp.up_proj.weight', layout: 'transposed' }],
  [
    'model.layers.3.mlp.gate_up_proj.weight#8:16.zero_points',
    { tensor: 'model.layers.3.mlp.gate_up_proj.weight', rows: { start: 8, end: 16 }, layout: 'zero_points' },
  ],
];

test('names and their parts are one to one', () => {
  for (const [name, parts] of NAMES) {
    expect(weightName(parts)).toBe(name);
    expect(parseWeightName(name)).toEqual(parts);
  }
});

test('other names are not taken for weights', () => {
  for (const name of ['constant_3', 'rotary.cosine', 'a.weight.twisted', 'a.weight#1.transposed', '']) expect(parseWeightName(name)).toBeUndefined();
});
