import { expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { ExternalDataLayout } from './external-layout.ts';

it('places tensors before their contents exist', () => {
  const layout = new ExternalDataLayout('weights', 16);
  expect(layout.place('a', 'float16', [3]).contents).toEqual({
    kind: 'external',
    location: 'weights',
    offset: 0,
    length: 6,
  });
  expect(layout.place('b', 'int64', [2, 2]).contents).toMatchObject({ offset: 16, length: 32 });
  expect(layout.place('empty', 'int64', [0]).contents).toMatchObject({ offset: 48, length: 0 });
  expect(layout.byteLength).toBe(48);
  expect(layout.tensors.map(({ name }) => name)).toEqual(['a', 'b', 'empty']);
});

it.each(['', '/etc/data', '../data', 'a/../../data', 'C:\\data', 'file:data', 'a\0b', '*/memory', 'a//b', './a'])(
  'refuses the location %j, which could lead outside the folder of the model',
  (location) => {
    expect(() => new ExternalDataLayout(location)).toThrow(UsageError);
  },
);

it.each([0, -1, 1.5, Number.NaN])('refuses an alignment of %d bytes', (alignment) => {
  expect(() => new ExternalDataLayout('weights', alignment)).toThrow(/The alignment is/);
});
