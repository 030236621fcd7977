import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { restedStorage } from './rested-storage.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function inMemory() {
  const written: string[] = [];
  const items = new Map<string, string>();
  const storage = {
    getItem: (name: string) => items.get(name) ?? null,
    setItem: (name: string, text: string) => {
      written.push(text);
      items.set(name, text);
    },
    removeItem: (name: string) => void items.delete(name),
  } as unknown as Storage;
  const page = new EventTarget();
  return { storage, page, written, items };
}

describe('a storage that writes at rest', () => {
  it('writes many changes once, the last one', () => {
    const { storage, page, written } = inMemory();
    const rested = restedStorage<{ ratio: number }>(() => storage, page as unknown as Window);
    for (let ratio = 0; ratio < 50; ratio += 1) {
      rested.setItem('studio', { state: { ratio }, version: 1 });
      vi.advanceTimersByTime(16);
    }
    expect(written).toEqual([]);
    vi.runAllTimers();
    expect(written).toEqual([JSON.stringify({ state: { ratio: 49 }, version: 1 })]);
    expect(rested.getItem('studio')).toEqual({ state: { ratio: 49 }, version: 1 });
  });

  it('writes at once when the page goes away, and no second time', () => {
    const { storage, page, written } = inMemory();
    restedStorage<number>(() => storage, page as unknown as Window).setItem('studio', { state: 1, version: 1 });
    page.dispatchEvent(new Event('pagehide'));
    vi.runAllTimers();
    expect(written).toHaveLength(1);
  });

  it('takes damaged text for none, and a full storage for a visit without memory', () => {
    const { storage, page, items } = inMemory();
    items.set('studio', '{"state":');
    const rested = restedStorage<number>(() => storage, page as unknown as Window);
    expect(rested.getItem('studio')).toBeNull();
    storage.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    rested.setItem('studio', { state: 1, version: 1 });
    expect(() => vi.runAllTimers()).not.toThrow();
  });
});
