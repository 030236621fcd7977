import { type Pushed, pushFiles } from '../../library/push.ts';
import type { LongRunning } from '../../progress.ts';

export type { Pushed } from '../../library/push.ts';

/** A built model on its way to a hub. */
export interface PublishRequest {
  /** Of the folder, e.g. 'stories-pruned-20-f16'. */
  readonly name: string;
  readonly files: readonly { readonly name: string; readonly content: Blob }[];
  /** 'org/name' */
  readonly repository: string;
  /** An access token with the right to write: used for this call and kept nowhere. */
  readonly token: string;
  /** Makes a new repository private. */
  readonly isPrivate: boolean;
  /** For the model card; absent: as the card has it. */
  readonly licence?: string | undefined;
  readonly baseModel?: string | undefined;
}

export interface PublishCalls {
  /** Publishes a built model on the public hub: all files in one commit, or none. */
  publish(request: PublishRequest, options?: LongRunning): Promise<Pushed>;
}

export function publishCalls(): PublishCalls {
  return { publish: ({ files, ...request }, options = {}) => pushFiles(files, { ...request, ...options }) };
}
