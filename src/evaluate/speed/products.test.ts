import { expect, it } from 'vitest';
import { CancelledError } from '../../errors.ts';
import { createNodeRuntime } from '../../runtime/node.ts';
import { computeDevice } from './compute-device.ts';
import { productSpeeds } from './products.ts';

it('measures products of one row and of many in the formats of a host', async () => {
  using runtime = await createNodeRuntime({ threads: 1 });
  const completed: number[] = [];
  const speeds = await productSpeeds(
    runtime,
    { size: 64, rows: [1, 8], milliseconds: 1 },
    { onProgress: (progress) => completed.push(progress.completed) },
  );
  expect(speeds.map(({ format, rows, size }) => [format, rows, size])).toEqual([
    ['f32', 1, 64],
    ['f32', 8, 64],
    ['q4', 1, 64],
    ['q4', 8, 64],
  ]);
  for (const { gigaflops } of speeds) expect(gigaflops).toBeGreaterThan(0);
  expect(completed).toEqual([0, 1, 2, 3, 4]);
  expect(runtime.statistics()).toMatchObject({ liveTensors: 0, liveSessions: 0 });
  await expect(
    productSpeeds(runtime, { size: 64, rows: [1], milliseconds: 1 }, { signal: AbortSignal.abort() }),
  ).rejects.toBeInstanceOf(CancelledError);
});

it('tells nothing of a graphics device on a host', async () => {
  using runtime = await createNodeRuntime({ threads: 1 });
  const { description } = runtime;
  expect(computeDevice(runtime)).toEqual({
    ...{ backend: 'cpu', description, adapter: undefined, limits: {}, features: [] },
  });
});
