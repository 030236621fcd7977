import { type Remote, wrap } from 'comlink';
import type { HubWorker } from './hub-worker.ts';

/** What the test asks of this page: downloads run in a worker, as in the studio, because OPFS files are written in place only there. */
export type HubPage = Remote<HubWorker>;

Object.assign(window, {
  hubPage: wrap<HubWorker>(new Worker(new URL('./hub-worker.ts', import.meta.url), { type: 'module' })),
});
