import { describe, expect, it } from 'vitest';
import { domainSentence, numberWithin } from './typed-number.ts';

describe('numberWithin', () => {
  it('takes what is in the domain alone', () => {
    const windows = { min: 1, max: 512, isWhole: true };
    expect(numberWithin('12', windows)).toBe(12);
    expect(numberWithin(' 1e2 ', windows)).toBe(100);
    for (const typed of ['', ' ', '0', '513', '2.5', 'many', '1e999', 'NaN'])
      expect(numberWithin(typed, windows)).toBeUndefined();
    expect(numberWithin('2.5', { min: 1, max: 512 })).toBe(2.5);
  });
});

describe('domainSentence', () => {
  it.each([
    [{ min: 1, max: 4096, isWhole: true }, 'a whole number from 1 to 4,096'],
    [{ min: 0, max: 88.5 }, 'a number from 0 to 88.5'],
    [{ min: 0, max: 1e13 }, 'a number, 0 or more'],
    [{ min: 0.0001, max: 10 }, 'a number from 0.0001 to 10'],
  ])('%o', (domain, sentence) => expect(domainSentence(domain)).toBe(sentence));
});
