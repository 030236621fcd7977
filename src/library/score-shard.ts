import type { PartialInfo } from '../importance/files/partial-file.ts';
import { importance } from '../importance/importance.ts';
import { type LayerPartial, shardRange, sumsFor } from '../importance/sums/shards.ts';
import type { OpenModel } from './open-model.ts';
import { describeRun, importanceOptions, type ScoreOptions, wantedMetrics } from './score.ts';

/** Where the sums of a shard go as they become known. */
export interface PartialSink {
  /** Called first, with everything but the loss. */
  start(info: PartialInfo): Promise<void>;
  /** Layers come from the last to the first. */
  layer(index: number, partial: LayerPartial): Promise<void>;
}

export interface ScoreShardOptions extends ScoreOptions {
  /** One of `count` equal parts of the windows, numbered from 0. `windows` are those of the whole run. */
  readonly shard: { readonly index: number; readonly count: number };
}

export interface ShardRun {
  /** With the loss and the predictions of the shard's own windows. */
  readonly info: PartialInfo;
  readonly seconds: number;
  readonly forwardSeconds: number;
  readonly peakBytes: number;
}

/**
 * Scores one shard of the calibration windows and gives out the sums that its scores follow from; `mergeScores` adds those of all shards (docs/architecture.md section 9).
 * Throws UsageError for a shard that there is not, or that has no window.
 */
export async function scoreShard(open: OpenModel, options: ScoreShardOptions, sink: PartialSink): Promise<ShardRun> {
  const { shard, windows } = options;
  const metrics = wantedMetrics(options);
  const { start, end } = shardRange(windows.length, shard.index, shard.count);
  const own = windows.slice(start, end);
  const before: PartialInfo = {
    ...(await describeRun(open, options, { loss: 0, tokens: 0 })),
    shard,
    metrics,
    windows: own.length,
    rows: own.reduce((sum, window) => sum + window.length, 0),
    structures: open.config.layerWidths.map((_, layer) => open.structuresOf(layer)),
  };
  await sink.start(before);
  open.runtime.resetPeak();
  const { loss, tokens, seconds, forwardSeconds, kernelBytes } = await importance(open.programs, open.store, own, {
    ...importanceOptions(open, options),
    partial: { kinds: sumsFor(metrics), take: (layer, partial) => sink.layer(layer, partial) },
  });
  const info = { ...before, calibration: { ...before.calibration, loss, tokens } };
  return { info, seconds, forwardSeconds, peakBytes: open.runtime.statistics().peakBytes + kernelBytes };
}
