/** A model that the page can ask for: served with the page (`public/models/{id}/`), picked or dropped files, or one of a model hub. */
export type ModelSource =
  | { readonly kind: 'embedded'; readonly id: string }
  | { readonly kind: 'files'; readonly files: readonly PickedFile[] }
  | {
      readonly kind: 'hub';
      /** 'org/name', 'org/name@revision' or an address. */
      readonly name: string;
      /** An access token for a gated or private model: used for this call and kept nowhere. */
      readonly token?: string | undefined;
    };

/** How a hub is asked. */
export interface HubAccess {
  /** As in `ModelSource`. */
  readonly token?: string | undefined;
}

/** A file that the reader picked or dropped. `path` is relative to what was picked. */
export interface PickedFile {
  readonly path: string;
  readonly blob: Blob;
}

/** What a download from a hub would bring. */
export interface DownloadOffer {
  /** 'org/name' */
  readonly name: string;
  /** As the model card names it. */
  readonly licence: string | undefined;
  /** Of all files that are needed. */
  readonly bytes: number;
  /** Of these, bytes that are stored already. */
  readonly present: number;
}

/** A model of a hub that is stored in this browser. */
export interface StoredModel {
  /** 'org/name' */
  readonly id: string;
  /** The commit that is stored. */
  readonly commit: string;
  /** The revision that was asked for. */
  readonly revision: string;
  /** As the model card names it. */
  readonly licence: string | undefined;
  /** Of its files. */
  readonly bytes: number;
}
