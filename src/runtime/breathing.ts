import type { Runtime } from './runtime.ts';

/** Longest time without a look at the messages. */
const LONGEST_BREATH = 30;

/** Resolves in a new task, after messages that wait have been delivered. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/**
 * Lets the runtime's thread look at its messages, and a process at its signals, between runs. WebAssembly runs end in microtasks, so that without this a worker
 * would hear of a cancellation, and Node of Ctrl-C, only when all its work is done. Returns the same runtime.
 */
export function breathing<R extends Runtime>(runtime: R): R {
  let last = performance.now();
  const breathe = async () => {
    if (performance.now() - last < LONGEST_BREATH) return;
    await nextTask();
    last = performance.now();
  };
  const createSession = runtime.createSession.bind(runtime);
  runtime.createSession = async (model, options) => {
    await breathe();
    const session = await createSession(model, options);
    const run = session.run.bind(session);
    session.run = async (feeds, runOptions) => {
      await breathe();
      return run(feeds, runOptions);
    };
    return session;
  };
  return runtime;
}
