import { type Remote, wrap } from 'comlink';
import type { StreamingWorker } from './streaming-worker.ts';

/** What the test asks of this page: models are written to OPFS and scored in a worker, as in the studio. */
export type StreamingPage = Remote<StreamingWorker>;

Object.assign(window, {
  streamingPage: wrap<StreamingWorker>(
    new Worker(new URL('./streaming-worker.ts', import.meta.url), { type: 'module' }),
  ),
});
