import { expect, test } from 'vitest';
import { groupNoun, kindShares } from './kinds.ts';

const count = (groups: number) => ({ groups, parametersPerGroup: 10 });
const MIXED = [
  { attention: count(4), mlp: { ...count(9), experts: [4, 2, 3], perToken: 1 } },
  { attention: count(0), convolution: count(8), mlp: count(6) },
];

test('every kind of group that a model has is counted by its own name', () => {
  const plan = [
    // Of the second expert one neuron stays, of the third none.
    { attention: [0, 2], mlp: [0, 1, 5] },
    { attention: [], convolution: [1, 2, 3], mlp: [0, 1, 2, 3, 4, 5] },
  ];
  expect(kindShares(MIXED, plan)).toEqual([
    { kind: 'attention', noun: 'attention groups', kept: 2, all: 4 },
    { kind: 'convolution', noun: 'convolution channels', kept: 3, all: 8 },
    { kind: 'experts', noun: 'experts', kept: 2, all: 3 },
    { kind: 'neurons', noun: 'neurons', kept: 9, all: 15 },
  ]);
});

test('kinds that a model lacks are not counted', () => {
  const plain = [{ attention: count(2), mlp: count(5) }];
  expect(kindShares(plain, [{ attention: [0, 1], mlp: [3] }]).map(({ kind }) => kind)).toEqual([
    'attention',
    'neurons',
  ]);
});

test('groups of a layer are called what they are', () => {
  expect(MIXED.map((layer) => groupNoun(layer, 'attention').many)).toEqual([
    'attention groups',
    'convolution channels',
  ]);
  expect(MIXED.map((layer) => groupNoun(layer, 'mlp').one)).toEqual(['neuron of experts', 'neuron']);
});
