import { type HelperThread, helperThread } from './helper-threads.ts';

/** A helper thread in a browser, in a dedicated worker. A page that may not start it computes without. */
export function startWebHelper(): HelperThread {
  const worker = new Worker(new URL('./helper-worker.ts', import.meta.url), {
    type: 'module',
    name: 'espalier-kernels',
  });
  const { thread, receive, fail } = helperThread(
    (message) => worker.postMessage(message),
    () => worker.terminate(),
  );
  worker.onmessage = ({ data }) => receive(data);
  worker.onerror = ({ message }) => fail(message);
  return thread;
}
