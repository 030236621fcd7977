import { expect, test } from 'vitest';
import { breathing } from './breathing.ts';
import type { Runtime, Session } from './runtime.ts';

/** A runtime whose runs end in microtasks, each after `milliseconds` of work. */
function busyRuntime(milliseconds: number): Runtime {
  const session = {
    run: async () => {
      const end = performance.now() + milliseconds;
      while (performance.now() < end);
      return {};
    },
  };
  return { createSession: async () => session as unknown as Session } as unknown as Runtime;
}

test('a message is delivered while a runtime works without a pause', async () => {
  const runtime = breathing(busyRuntime(10));
  const session = await runtime.createSession({} as never);
  const { port1, port2 } = new MessageChannel();
  let cancelled = false;
  port1.onmessage = () => {
    cancelled = true;
    port1.close();
  };
  port2.postMessage('cancel');
  let runs = 0;
  while (!cancelled && runs < 100) {
    await session.run({});
    runs += 1;
  }
  expect(cancelled).toBe(true);
  expect(runs).toBeLessThan(50);
});
