import { expect, test } from 'vitest';
import { createRandom } from '../../random.ts';
import { createNodeRuntime } from '../../runtime/node.ts';
import { divergenceGraph } from './divergence-graph.ts';
import { rowDivergence } from './row-divergence.ts';

test('rows on the host and on a device have one divergence', async () => {
  using runtime = await createNodeRuntime({ threads: 1 });
  const [rows, vocabulary] = [9, 41];
  const random = createRandom(4);
  const draw = (scale: number) => Float32Array.from({ length: rows * vocabulary }, () => scale * random.normal());
  const [dense, other] = [draw(5), draw(3)];
  const upload = (data: Float32Array) => runtime.upload({ dataType: 'float32', shape: [rows, vocabulary], data });
  using session = await runtime.createSession(divergenceGraph(vocabulary));
  const { divergence } = await session.run({ dense: upload(dense), other: upload(other) });
  if (!divergence) throw new Error('no divergence');
  const found = (await runtime.read(divergence)).data as Float32Array;
  const row = (data: Float32Array, index: number) => data.subarray(index * vocabulary, (index + 1) * vocabulary);
  for (const [index, value] of found.entries())
    expect(Math.abs(value - rowDivergence(row(dense, index), row(other, index)))).toBeLessThan(1e-4 * value);
});
