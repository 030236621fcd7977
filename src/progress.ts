/** One event of long work. `completed` never decreases, `total` is constant within a stage, and a stage ends with completed === total. */
export interface Progress {
  /** What is being done, e.g. 'scoring'. */
  readonly stage: string;
  readonly completed: number;
  readonly total: number;
  readonly unit:
    | 'bytes'
    | 'windows'
    | 'tokens'
    | 'layers'
    | 'items'
    | 'steps' /** Of a window through a layer, forward or back. */
    | 'passes';
}

export type OnProgress = (progress: Progress) => void;

/** Options that everything long accepts. */
export interface LongRunning {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}
