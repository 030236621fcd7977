import { expect, it, vi } from 'vitest';
import { askToPersist } from './persist-storage.ts';

it('asks once, and not where storage is persistent already, missing or forbidden', async () => {
  const persist = vi.fn(async () => true);
  expect(await askToPersist({ persisted: async () => false, persist })).toBe(true);
  expect(persist).toHaveBeenCalledOnce();
  expect(await askToPersist({ persisted: async () => true, persist })).toBe(true);
  expect(persist).toHaveBeenCalledOnce();
  expect(await askToPersist({})).toBe(false);
  expect(
    await askToPersist({ persisted: () => Promise.reject(new TypeError('An opaque origin has no storage.')) }),
  ).toBe(false);
});
