import { describe, expect, it } from 'vitest';
import type { PerplexityMeasurement } from '../../../worker/engine.ts';
import { resultsCsv } from './results-csv.ts';

const perplexity = (value: number) => ({ perplexity: value, standardError: 0.5, tokens: 127, windows: 1, seconds: 1 });
const about = (value: number) => ({ value, low: value - 1, high: value + 1 });
const model = (decode: number) => ({ prefill: about(100), decode: about(decode), bytes: 4 });
const speed = {
  dense: model(10),
  pruned: model(12),
  decode: { value: 1.2, low: 1.1, high: 1.3 },
  prefill: { value: 1, low: 0, high: Number.POSITIVE_INFINITY },
  ...{ rounds: 5, promptTokens: 64, seconds: 20 },
};

describe('resultsCsv', () => {
  it('has a line per method and ratio, dense first, gaps empty', () => {
    const csv = resultsCsv(
      {
        perplexity: new Map<number, PerplexityMeasurement>([
          [0, perplexity(8)],
          [0.2, { ...perplexity(9.1234567), klDivergence: 0.1, klStandardError: 0.01, top1Agreement: 0.9 }],
        ]),
        methods: new Map([['random', new Map([[0.2, perplexity(70)]])]]),
        speed: new Map([[0.2, speed]]),
      },
      'element-second+fisher, tempered',
    );
    expect(csv.trim().split('\n').slice(1)).toEqual([
      `dense,0,8,0.5,127${','.repeat(21)}`,
      '"element-second+fisher, tempered",0.2,9.12346,0.5,127,0.1,0.01,0.9,1.2,1.1,1.3,1,0,,12,11,13,100,99,101,10,9,11,100,99,101',
      `random,0.2,70,0.5,127${','.repeat(21)}`,
    ]);
  });
});
