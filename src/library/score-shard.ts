import type { SumsInfo } from '../importance/files/sums-file.ts';
import { importance } from '../importance/importance.ts';
import type { LayerSums } from '../importance/sums/layer-sums.ts';
import { shardRange } from '../importance/sums/shard-range.ts';
import type { OpenModel } from './open-model.ts';
import { importanceOptions, type ScoreOptions, sumsInfo } from './score.ts';
import { precisionsFor, scoringPrograms } from './score-precision.ts';

/** Where the sums of a shard go as they become known. */
export interface SumsSink {
  /** Called first. */
  start(info: SumsInfo): Promise<void>;
  /** Layers come from the last to the first. */
  layer(index: number, sums: LayerSums): Promise<void>;
  /** Called last, with the mean cross-entropy of each window of the shard. */
  finish(losses: readonly number[]): Promise<void>;
}

/** What is scored, and which part of it. */
export interface ScoreShardOptions extends ScoreOptions {
  /** One of `count` equal parts of the windows, numbered from 0. `windows` are those of the whole run. */
  readonly shard: {
    /** From 0. */
    readonly index: number;
    /** Parts in all. */
    readonly count: number;
  };
}

/** What scoring a shard told and took. */
export interface ShardRun {
  /** What the file of sums says. */
  readonly info: SumsInfo;
  /** Mean cross-entropy and predictions of the shard's own windows. */
  readonly loss: number;
  /** Predictions. */
  readonly tokens: number;
  /** That the shard took. */
  readonly seconds: number;
  /** Of these, those of the forward pass. */
  readonly forwardSeconds: number;
  /** Of tensors. */
  readonly peakBytes: number;
}

/**
 * Scores one shard of the calibration windows and gives out the sums that its scores follow from; `mergeScores` adds those of all shards (docs/architecture.md section 9).
 * Shards of one run are to be of one precision: with `auto` that of the adapter, and HalfPrecisionError where it does not suffice.
 * Throws UsageError for a shard that there is not, or that has no window.
 */
export async function scoreShard(open: OpenModel, options: ScoreShardOptions, sink: SumsSink): Promise<ShardRun> {
  const { shard, windows } = options;
  const { start, end } = shardRange(windows.length, shard.index, shard.count);
  const own = windows.slice(start, end);
  const [precision] = precisionsFor(open.runtime, options.precision, options.crossCheck !== undefined);
  const info = await sumsInfo(open, options, precision, { shard, own });
  await sink.start(info);
  open.runtime.resetPeak();
  using on = scoringPrograms(open, precision);
  const { losses, loss, tokens, seconds, forwardSeconds, kernelBytes } = await importance(on.programs, on.store, own, {
    ...importanceOptions(open, options, start),
    windowsAre: shard.count === 1 ? 'all' : 'part',
    onSums: (layer, sums) => sink.layer(layer, sums),
  });
  await sink.finish(losses);
  const peakBytes = open.runtime.statistics().peakBytes + kernelBytes;
  return { info, loss, tokens, seconds, forwardSeconds, peakBytes };
}
