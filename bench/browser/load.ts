import { wrap } from 'comlink';
import type { LoadBench } from './load-worker.ts';

declare global {
  interface Window {
    readonly loadBench: LoadBench;
  }
}

/** In a worker, as in the studio. */
const worker = new Worker(new URL('./load-worker.ts', import.meta.url), { type: 'module' });
const remote = wrap<LoadBench>(worker);

const bench: LoadBench = {
  prepare: (backend) => remote.prepare(backend),
  load: (url, streamed) => remote.load(url, streamed),
};

Object.assign(window, { loadBench: bench });
