import { expect, it } from 'vitest';
import { createNodeRuntime } from '../runtime/node.ts';
import { probed } from './probe.ts';

it('lets a runtime pass that computes, and leaves nothing behind', async () => {
  using runtime = await createNodeRuntime({ threads: 1 });
  expect(await probed(runtime)).toBe(runtime);
  expect(runtime.statistics()).toMatchObject({ liveTensors: 0, liveSessions: 0 });
});
