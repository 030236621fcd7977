import { expect, test } from 'vitest';
import { parseWeightName, parseWeightNames, stackedWeightName, type WeightName, weightName } from './weight-names.ts';

const NAMES: readonly (readonly [string, WeightName])[] = [
  ['model.embed_tokens.weight', { tensor: 'model.embed_tokens.weight', layout: 'plain' }],
  ['model.layers.0.self_attn.o_proj.bias', { tensor: 'model.layers.0.self_attn.o_proj.bias', layout: 'plain' }],
  ['model.norm.weight+1', { tensor: 'model.norm.weight', offset: 1, layout: 'plain' }],
  [
    'model.layers.3.mlp.up_proj.weight.transposed',
    { tensor: 'model.layers.3.mlp.up_proj.weight', layout: 'transposed' },
  ],
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

test('stacked weights are told with their rows', () => {
  const parts = [
    { tensor: 'model.layers.0.self_attn.q_proj.weight', rows: { start: 0, end: 8 } },
    { tensor: 'model.layers.0.self_attn.k_proj.weight', rows: { start: 4, end: 6 } },
  ];
  for (const layout of ['plain', 'transposed', 'scales'] as const) {
    const name = stackedWeightName(parts, layout);
    expect(parseWeightNames(name)).toEqual(parts.map((part) => ({ ...part, layout })));
    expect(parseWeightName(name)).toBeUndefined();
  }
  for (const [name, whole] of NAMES) expect(parseWeightNames(name)).toEqual([whole]);
  for (const name of ['a.weight|b.weight', 'a.weight#0:1|rotary.cosine', 'a.weight#0:1|'])
    expect(parseWeightNames(name)).toBeUndefined();
});

test('other names are not taken for weights', () => {
  for (const name of ['constant_3', 'rotary.cosine', 'a.weight.twisted', 'a.weight#1.transposed', ''])
    expect(parseWeightName(name)).toBeUndefined();
});
