import { MismatchError, MissingError, throwIfCancelled, UsageError } from '../errors.ts';
import type { SumsFile } from '../importance/files/sums-file.ts';
import type { Scores } from '../importance/sums/scores.ts';
import type { LongRunning } from '../progress.ts';

/**
 * The scores of one run from the files of all its shards, in any order: equal to those of an unsharded run but for rounding, and the same whatever order the
 * files come in. The sums of one layer, and what one shard adds to them, are in memory at a time.
 * Throws MissingError for a shard that is not among them, UsageError for one that is there twice, and
 * MismatchError for files of different runs.
 */
export async function mergeScores(
  files: readonly SumsFile[],
  { signal, onProgress }: LongRunning = {},
): Promise<Scores> {
  const shards = inOrder(files);
  const [first] = shards;
  if (!first) throw new UsageError('There are no shards to merge; give the files of "espalier score --shard".');
  for (const shard of shards) checkSameRun(first, shard);
  const { model, calibration, engine, groups, metrics } = first.info;
  const windows = shards.reduce((sum, { info }) => sum + info.windows, 0);
  if (windows !== calibration.windows)
    throw new MismatchError(
      `The shards have ${windows} windows together and their run has ${calibration.windows}. Score them again with the same version.`,
    );
  const layers: Scores['layers'][number][] = [];
  for (let layer = 0; layer < groups.length; layer++) {
    throwIfCancelled(signal);
    onProgress?.({ stage: 'merging', completed: layer, total: groups.length, unit: 'layers' });
    const merged = await first.layer(layer);
    for (const [index, shard] of shards.entries())
      if (index > 0) merged.merge(await shard.layer(layer), [first.name, shard.name]);
    merged.close();
    layers.push(merged.scores(metrics));
  }
  onProgress?.({ stage: 'merging', completed: groups.length, total: groups.length, unit: 'layers' });
  const losses = (await Promise.all(shards.map((shard) => shard.losses()))).flatMap((values) => [...values]);
  const loss = losses.reduce((sum, value) => sum + value, 0) / windows;
  const tokens = shards.reduce((sum, { info }) => sum + info.rows - info.windows, 0);
  return { format: 'espalier-scores/1', model, calibration: { ...calibration, loss, tokens }, engine, groups, layers };
}

function inOrder(files: readonly SumsFile[]): SumsFile[] {
  const count = files[0]?.info.shard.count ?? 0;
  const byIndex = new Map<number, SumsFile>();
  for (const file of files) {
    if (file.unfinished)
      throw new MismatchError(
        `${file.name} is of a run that has not ended: ${file.unfinished.layer} layers are left. Give the same command again.`,
      );
    const { index } = file.info.shard;
    const other = byIndex.get(index);
    if (other) throw new UsageError(`${other.name} and ${file.name} are both shard ${index}; give each shard once.`);
    byIndex.set(index, file);
  }
  const missing = Array.from({ length: count }, (_, index) => index).filter((index) => !byIndex.has(index));
  if (missing.length > 0)
    throw new MissingError(`Of ${count} shards ${missing.join(', ')} are not there; give the files of all.`);
  return [...byIndex].sort(([a], [b]) => a - b).map(([, file]) => file);
}

function checkSameRun(first: SumsFile, other: SumsFile): void {
  const same = <Value>(what: string, value: (file: SumsFile) => Value) => {
    const [a, b] = [JSON.stringify(value(first)), JSON.stringify(value(other))];
    if (a !== b)
      throw new MismatchError(
        `${first.name} and ${other.name} are of different runs: ${what} is ${short(a)} and ${short(b)}. Score all shards alike.`,
      );
  };
  same('the number of shards', ({ info }) => info.shard.count);
  same('the hash of the weights', ({ info }) => info.model.sha256);
  same('the hash of the calibration text', ({ info }) => info.calibration.sha256);
  same('the number of windows', ({ info }) => info.calibration.windows);
  same('the length of windows', ({ info }) => info.calibration.length);
  same('the seed', ({ info }) => info.calibration.seed);
  same('what importance is the gradient of', ({ info }) => [info.calibration.objective, info.draws]);
  same('the metrics', ({ info }) => info.metrics);
  same('the version', ({ info }) => info.engine.version);
  same('the precision', ({ info }) => info.engine.precision ?? 'f32');
  same('the groups', ({ info }) => info.groups);
}

const short = (text: string | undefined) => (text !== undefined && text.length > 80 ? `${text.slice(0, 80)}…` : text);
