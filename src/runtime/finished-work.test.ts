import { describe, expect, it } from 'vitest';
import { finishedWork } from './finished-work.ts';

/** A device that takes `cost` milliseconds for what is submitted in one. */
function device(cost: number) {
  let [time, queued, waits] = [0, 0, 0];
  const finished = finishedWork(
    {
      backend: 'webgpu',
      async synchronize() {
        time += queued;
        queued = 0;
        waits += 1;
      },
    },
    () => time,
  );
  const submit = async (isLast = false) => {
    time += 1;
    queued += cost;
    return (await finished(isLast)) ? queued : undefined;
  };
  return { submit, waits: () => waits };
}

describe('finishedWork', () => {
  it('waits rarely for a device that keeps up, and tells nothing of what is not finished', async () => {
    const { submit, waits } = device(0.5);
    const told = [];
    for (let step = 0; step < 1000; step += 1) told.push(await submit());
    expect(waits()).toBeLessThanOrEqual(10);
    expect(told.filter((left) => left !== undefined)).toEqual(Array(waits()).fill(0));
  });

  it('waits for every step of a slow device, so that none stands for long after the last word', async () => {
    const { submit, waits } = device(500);
    for (let step = 0; step < 200; step += 1) await submit();
    expect(waits()).toBeGreaterThan(95);
  });

  it('always waits for the last', async () => {
    expect(await device(5).submit(true)).toBe(0);
  });

  it('has nothing to wait for where runs end when they return', async () => {
    const synchronize = () => Promise.reject(new Error('There is no device.'));
    expect(await finishedWork({ backend: 'wasm', synchronize })(true)).toBe(true);
  });
});
