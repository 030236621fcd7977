import { expect, test } from 'vitest';
import { modelOf } from '../../architecture/model.ts';
import { randomLlama } from '../../export/testing/random-llama.ts';
import { decoderForModel } from '../../generate/model-decoder.ts';
import { createNodeRuntime } from '../../runtime/node.ts';
import { DecoderCache } from './decoder-cache.ts';

test('at most so many models are resident, and it is told which one was freed', async () => {
  using runtime = await createNodeRuntime({ threads: 1 });
  const freed: string[] = [];
  const live: number[] = [];
  using cache = new DecoderCache(
    () => 2,
    (key) => freed.push(key),
  );
  const open = () => decoderForModel(runtime, modelOf(randomLlama()));
  for (const key of ['dense', 'half', 'dense', 'third', 'half']) {
    await cache.get(key, open);
    live.push(runtime.statistics().liveSessions);
  }
  expect(freed).toEqual(['half', 'dense']);
  expect(live).toEqual([1, 2, 2, 2, 2]);
});
