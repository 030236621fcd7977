import { expect, test } from 'vitest';
import { lendHubToken, takeHubToken } from './hub-tokens.ts';

test('a token serves one opening of one model, and is then gone', () => {
  lendHubToken('org/gated', 'hf_secret');
  expect(takeHubToken('org/other')).toBeUndefined();
  expect(takeHubToken('org/gated')).toBe('hf_secret');
  expect(takeHubToken('org/gated')).toBeUndefined();
});

test('an empty token takes back one that was lent', () => {
  lendHubToken('org/gated', 'hf_secret');
  lendHubToken('org/gated', '');
  expect(takeHubToken('org/gated')).toBeUndefined();
});
