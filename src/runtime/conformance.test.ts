import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONFORMANCE_CASES } from './conformance.ts';
import { createNodeRuntime } from './node.ts';
import type { Runtime } from './runtime.ts';

describe('Node CPU', () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createNodeRuntime({ threads: 1 });
  });
  afterAll(() => {
    const { liveTensors, liveBytes, liveSessions } = runtime.statistics();
    expect({ liveTensors, liveBytes, liveSessions }).toEqual({ liveTensors: 0, liveBytes: 0, liveSessions: 0 });
    runtime.dispose();
  });
  test.each(CONFORMANCE_CASES.map((entry) => [entry.name, entry] as const))('%s', async (_, entry) => {
    await entry.run(runtime);
  });
});
