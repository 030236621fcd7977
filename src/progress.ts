/** One event of long work. `completed` never decreases, `total` is constant within a stage, and a stage ends with completed === total. */
export interface Progress {
  /** What is being done, e.g. 'scoring'. */
  readonly stage: string;
  /** Units that are done; never less than before. */
  readonly completed: number;
  /** Units of the stage. */
  readonly total: number;
  /** What is counted. */
  readonly unit:
    | 'bytes'
    | 'windows'
    | 'tokens'
    | 'layers'
    | 'items'
    | 'steps' /** Of a window through a layer, forward or back. */
    | 'passes';
}

/** Told how far long work is. */
export type OnProgress = (progress: Progress) => void;

/** Options that everything long accepts. */
export interface LongRunning {
  /** Ends the work; CancelledError is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Told how far the work is. */
  readonly onProgress?: OnProgress | undefined;
}
