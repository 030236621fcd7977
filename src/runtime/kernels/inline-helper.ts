import { type HelperThread, helperThread, serveCalls } from './helper-threads.ts';

/** The program of a helper thread, as text. */
const PROGRAM = `(${serveCalls})((handle) => { onmessage = ({ data }) => handle(data); }, (problem) => postMessage(problem));`;

/**
 * A helper thread in a browser for pages of others, in whose bundles no file of ours can be counted on: its worker is started from text. A page whose policy
 * forbids that computes without.
 */
export function startWebHelper(): HelperThread {
  const url = URL.createObjectURL(new Blob([PROGRAM], { type: 'text/javascript' }));
  const worker = new Worker(url, { name: 'espalier-kernels' });
  const { thread, receive, fail } = helperThread(
    (message) => worker.postMessage(message),
    () => {
      worker.terminate();
      URL.revokeObjectURL(url);
    },
  );
  worker.onmessage = ({ data }) => receive(data);
  worker.onerror = ({ message }) => fail(message);
  return thread;
}
