import { expect, test } from 'vitest';
import { perplexity } from '../evaluate/perplexity.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { OpenModel } from './open-model.ts';
import { sampledWindows } from './sampled-windows.ts';

test('a model writes what its own text lacks of a verification, the same each time, and more likely tokens than drawn ones', async () => {
  using runtime = await createNodeRuntime({ threads: 1 });
  using open = new OpenModel(runtime, randomLlama({ seed: 9 }));
  const windows = await sampledWindows(open, []);
  expect(windows.map(({ length }) => length)).toEqual([64, 64, 64, 64]);
  expect(await sampledWindows(open, [])).toEqual(windows);
  expect(await sampledWindows(open, [new Int32Array(200)])).toEqual(windows.slice(0, 1));
  expect(await sampledWindows(open, [new Int32Array(256)])).toEqual([]);
  const { loss } = await perplexity(open.programs, open.store, windows);
  expect(loss).toBeLessThan(Math.log(open.config.vocabulary));
});
