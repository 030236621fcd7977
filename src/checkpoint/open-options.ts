/** How a model is named, and which weight file to take where a folder has several. */
export interface OpenOptions {
  /** A file of the folder, e.g. 'model-q4.gguf'. */
  readonly weights?: string | undefined;
  /** Shown to people; the folder's name by default. */
  readonly name?: string | undefined;
  /** Recorded as where it came from. */
  readonly revision?: string | undefined;
}
