import { expect, test } from 'vitest';
import { SerialQueue } from './queue.ts';

test('a queue keeps the process alive while it has tasks, failing ones too, and no longer', async () => {
  const queue = new SerialQueue();
  const told: string[] = [];
  queue.keepAlive = { ref: () => told.push('ref'), unref: () => told.push('unref') };
  const { promise, resolve } = deferred();
  const first = queue.run(() => promise);
  const second = queue.run(() => Promise.reject(new Error('no')));
  await Promise.resolve();
  expect(told).toEqual(['ref']);
  resolve();
  await first;
  await expect(second).rejects.toThrow('no');
  await queue.idle();
  expect(told).toEqual(['ref', 'unref']);
  await queue.run(() => told.push('work'));
  await queue.idle();
  expect(told).toEqual(['ref', 'unref', 'ref', 'work', 'unref']);
});

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  const found: { resolve?: () => void } = {};
  const promise = new Promise<void>((resolve) => {
    found.resolve = resolve;
  });
  return { promise, resolve: () => found.resolve?.() };
}
