import type { Runtime } from '../../runtime/runtime.ts';
import { differentiate } from '../differentiate.ts';
import { type TestBlock, testBlock } from './block.ts';
import { randomFeeds } from './feeds.ts';

/** Gradients of one test block with deterministic feeds, by output name: backends that run it must agree. */
export async function blockGradients(
  runtime: Runtime,
  options: Partial<TestBlock> = {},
): Promise<Record<string, number[]>> {
  const { graph, weights, bindings } = testBlock({
    hiddenSize: 12,
    headDimension: 4,
    repeat: 2,
    keyValueHeads: 2,
    neurons: 10,
    ...options,
  });
  const gradient = differentiate(graph, { seeds: { output: 'seed' }, wrt: ['hidden', ...weights], bindings });
  const feeds = Object.entries(randomFeeds(gradient, { batch: 2, tokens: 5 }, 11)).map(
    ([name, tensor]) => [name, runtime.upload(tensor)] as const,
  );
  using session = await runtime.createSession(gradient, { label: 'block gradient' });
  const outputs = Object.entries(await session.run(Object.fromEntries(feeds)));
  const result: Record<string, number[]> = {};
  for (const [name, tensor] of outputs) result[name] = Array.from((await runtime.read(tensor)).data as Float32Array);
  for (const [, tensor] of [...feeds, ...outputs]) tensor.dispose();
  return result;
}
