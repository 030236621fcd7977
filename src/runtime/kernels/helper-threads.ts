/** A thread that takes calls from `SharedKernels`. Messages are answered in order. */
export interface HelperThread {
  /** Resolves when the thread has done what the message asks; rejects when it failed. */
  send(message: HelperMessage): Promise<void>;
  end(): void;
}

/** Threads beside the caller's that a platform can start. */
export interface HelperThreads {
  readonly count: number;
  readonly start: () => HelperThread;
}

export type HelperMessage =
  | { readonly module: WebAssembly.Module; readonly memory: WebAssembly.Memory }
  | { readonly calls: readonly (readonly [name: string, ...values: number[]])[] };

/**
 * The thread's side: answers each message with null, or with the text of what went wrong. Its source is also what Node's threads are started from, so it must stand by itself:
 * no imports, no names from outside.
 */
export function serveCalls(
  listen: (handle: (message: HelperMessage) => void) => void,
  answer: (problem: string | null) => void,
): void {
  let functions: Record<string, (...values: number[]) => void> = {};
  let next = new Int32Array(1);
  listen((message) => {
    try {
      if ('module' in message) {
        functions = new WebAssembly.Instance(message.module, { env: { memory: message.memory } })
          .exports as typeof functions;
        next = new Int32Array(message.memory.buffer, 0, 1);
      } else {
        const { calls } = message;
        for (let index = Atomics.add(next, 0, 1); index < calls.length; index = Atomics.add(next, 0, 1)) {
          const [name = '', ...values] = calls[index] ?? [''];
          functions[name]?.(...values);
        }
      }
      answer(null);
    } catch (error) {
      answer(String(error));
    }
  });
}

/** The caller's side of a thread: `post` sends a message; the result's `receive` takes the answers, `fail` an end of the thread that nobody asked for. */
export function helperThread(
  post: (message: HelperMessage) => void,
  end: () => void,
  busy: (busy: boolean) => void = () => {},
) {
  const waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  let failed: Error | undefined;
  const settle = (problem: string | null) => {
    const first = waiting.shift();
    if (waiting.length === 0) busy(false);
    if (problem === null) first?.resolve();
    else first?.reject(new Error(`A helper thread failed: ${problem}`));
  };
  const thread: HelperThread = {
    send: (message) => {
      const answered = new Promise<void>((resolve, reject) => {
        if (failed) return reject(failed);
        waiting.push({ resolve, reject });
        busy(true);
        post(message);
      });
      answered.catch(() => undefined);
      return answered;
    },
    end: () => {
      failed = new Error('The helper thread has ended.');
      end();
    },
  };
  return {
    thread,
    receive: settle,
    fail: (problem: string) => {
      failed = new Error(`A helper thread failed: ${problem}`);
      while (waiting.length > 0) settle(problem);
    },
  };
}
