import { expose } from 'comlink';
import { opfsStore } from '../../src/checkpoint/files/opfs.ts';
import { openHubModel, planDownload } from '../../src/checkpoint/store/hub.ts';
import type { HubModel } from '../../src/checkpoint/store/hub-model.ts';
import type { ModelStore } from '../../src/checkpoint/store/model-store.ts';
import { EspalierError } from '../../src/errors.ts';

export interface Outcome {
  readonly error?: { readonly code: string; readonly message: string };
  readonly first?: number;
  readonly sha256?: string;
  /** Completed bytes of all progress events. */
  readonly completed: readonly number[];
}

const store: ModelStore = opfsStore();

const worker = {
  plan: async (model: HubModel) => {
    const { bytes, present } = await planDownload(model, store);
    return { bytes, present };
  },
  /** Opens a model, downloading what is missing; cancels itself when `cancelAt` bytes have come. `room` limits the store. */
  async open(
    model: HubModel,
    { cancelAt = Number.POSITIVE_INFINITY, room }: { cancelAt?: number; room?: number } = {},
  ): Promise<Outcome> {
    const controller = new AbortController();
    const completed: number[] = [];
    const limited = room === undefined ? store : { ...store, available: async () => room };
    try {
      const checkpoint = await openHubModel(model, limited, {
        signal: controller.signal,
        onProgress: (progress) => {
          completed.push(progress.completed);
          if (progress.completed >= cancelAt) controller.abort();
        },
      });
      const [first] = await checkpoint.read('a', { start: 40_000, end: 40_001 });
      return { completed, first: first as number, sha256: await checkpoint.sha256() };
    } catch (error) {
      if (!(error instanceof EspalierError)) throw error;
      return { completed, error: { code: error.code, message: error.message } };
    }
  },
  list: async () =>
    (await store.list()).map(({ id, files }) => ({ id, bytes: files.reduce((sum, { size }) => sum + size, 0) })),
  files: async (id: string, commit: string) => (await store.files({ id, commit })).list(),
  delete: (id: string, commit: string) => store.delete({ id, commit }),
  available: () => store.available(),
};

export type HubWorker = typeof worker;
expose(worker);
