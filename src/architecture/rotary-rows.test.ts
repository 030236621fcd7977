import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openNamed } from '../checkpoint/local.ts';
import { MismatchError } from '../errors.ts';
import { modelOf } from './model.ts';

const folder = join(import.meta.dirname, '../checkpoint/fixtures/onnx/genai-llama');

test('a graph whose rotary angles are not those of its config is told, with the place', async () => {
  const checkpoint = await openNamed(folder);
  expect(checkpoint.rotaryRows?.map(({ name, cosine }) => [name, cosine.length])).toEqual([['cos_cache', 4]]);
  expect(() => modelOf(checkpoint)).not.toThrow();
  const config = { ...checkpoint.config, rope_parameters: { rope_theta: 50_000, rope_type: 'default' } };
  const other = () => modelOf({ ...checkpoint, config });
  expect(other).toThrow(MismatchError);
  expect(other).toThrow(/turns positions by other angles.*position 15, channel 1, cos_cache has 0\.0.*rope_theta/);
});
