import { serveCalls } from './helper-threads.ts';

/** A helper thread in a browser: a dedicated worker that does nothing but run calls. */
const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
};
serveCalls(
  (handle) => {
    scope.onmessage = ({ data }) => handle(data);
  },
  (problem) => scope.postMessage(problem),
);
