import { expect, test } from 'vitest';
import { DeviceError } from '../errors.ts';
import { finiteJson } from './console.ts';

test('a result is JSON, and never has null in place of a number', () => {
  expect(finiteJson({ perplexity: 2.5, rows: [null, undefined, -0] })).toBe('{"perplexity":2.5,"rows":[null,null,0]}');
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => finiteJson({ rows: [{ perplexity: wrong }] })).toThrow(DeviceError);
    expect(() => finiteJson({ rows: [{ perplexity: wrong }] })).toThrow(`The result "perplexity" is ${wrong}`);
  }
});
