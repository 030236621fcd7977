import type { LayerGroups } from '../../importance/structures/structures.ts';
import { inspect } from '../../library/inspect.ts';
import type { DownloadOffer, HubAccess, ModelSource, StoredModel } from '../../library/model-sources.ts';
import type { OpenModel } from '../../library/open-model.ts';
import type { LongRunning } from '../../progress.ts';
import type { BackendChoice, BackendInfo } from './backend.ts';
import type { Bench } from './bench.ts';

export type { DownloadOffer, HubAccess, ModelSource, PickedFile, StoredModel } from '../../library/model-sources.ts';

/** What the page shows about an opened model. */
export interface ModelSummary {
  readonly name: string;
  /** 'llama', … */
  readonly architecture: string;
  readonly licence: string | undefined;
  /** Parameters of the whole model. */
  readonly parameters: number;
  /** Bytes of the weight file. */
  readonly bytes: number;
  readonly vocabulary: number;
  readonly hiddenSize: number;
  readonly maximumPositions: number;
  /** Whether prompts can be put into the model's chat template. */
  readonly chat: boolean;
  readonly layers: readonly LayerGroups[];
  /** The how many-th model that this engine opened. */
  readonly opening: number;
}

export interface ModelCalls {
  /** Chooses and starts a backend. The first call decides; later calls return the same. */
  backend(choice: BackendChoice): Promise<BackendInfo>;
  /** Opens a model in place of the one before; a hub's is downloaded into this browser first. */
  openModel(source: ModelSource, options?: LongRunning): Promise<ModelSummary>;
  /** `opening` of the model that is open, once everything asked for before is done; 0 when none was. */
  lastOpening(): Promise<number>;
  /** What opening a hub's model would download; asks the hub. */
  offer(name: string, options?: LongRunning & HubAccess): Promise<DownloadOffer>;
  /** Models of hubs that are stored in this browser. */
  stored(): Promise<readonly StoredModel[]>;
  forget(model: Pick<StoredModel, 'id' | 'commit'>): Promise<void>;
}

export function modelCalls(bench: Bench): ModelCalls {
  const { platform } = bench;
  return {
    backend: (choice) => bench.start(choice),
    openModel: async (source, options = {}) => {
      const { open, opening } = await bench.open(source, options);
      return { ...(await summaryOf(open)), opening };
    },
    lastOpening: () => bench.lastOpening(),
    offer: platform.offer,
    stored: platform.stored,
    forget: platform.forget,
  };
}

async function summaryOf(open: OpenModel): Promise<Omit<ModelSummary, 'opening'>> {
  const { name, architecture, licence, parameters, bytes, vocabulary, hiddenSize, layers } = inspect(open);
  const { maximumPositions } = open.config;
  const chat = (await open.tokenizer()).chatTemplate !== undefined;
  return { name, architecture, licence, parameters, bytes, vocabulary, hiddenSize, maximumPositions, chat, layers };
}
