import { describe, expect, it } from 'vitest';
import { resultsCsv } from './results-csv.ts';

const perplexity = (value: number) => ({ perplexity: value, standardError: 0.5, tokens: 127, windows: 1, seconds: 1 });
const speed = (decode: number) => ({
  prefillTokensPerSecond: 100,
  decodeTokensPerSecond: decode,
  prefillSpread: 1,
  decodeSpread: 1,
  bytes: 4,
});

describe('resultsCsv', () => {
  it('has a line per method and ratio, dense first, gaps empty', () => {
    const csv = resultsCsv(
      {
        perplexity: new Map([
          [0, perplexity(8)],
          [0.2, perplexity(9.1234567)],
        ]),
        methods: new Map([['random', new Map([[0.2, perplexity(70)]])]]),
        speed: new Map([[0.2, { dense: speed(10), pruned: speed(12) }]]),
      },
      'element-second+fisher, tempered',
    );
    expect(csv.trim().split('\n').slice(1)).toEqual([
      'dense,0,8,0.5,127,,,,',
      '"element-second+fisher, tempered",0.2,9.12346,0.5,127,12,100,10,100',
      'random,0.2,70,0.5,127,,,,',
    ]);
  });
});
