import { afterAll, beforeAll, expect, it } from 'vitest';
import { CancelledError, UsageError } from '../../errors.ts';
import { randomLlama } from '../../export/testing/random-llama.ts';
import { encodeScores } from '../../importance/files/score-file.ts';
import { OpenModel } from '../../library/open-model.ts';
import { type ScoreOptions, score, sumsInfo } from '../../library/score.ts';
import { resumable } from '../../library/score-resume.ts';
import { createNodeRuntime } from '../../runtime/node.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { lenient } from './kept-file.ts';
import { memoryFile } from './testing/memory-file.ts';

const windows = Array.from({ length: 4 }, (_, window) =>
  Int32Array.from({ length: 10 }, (_, token) => (token * 5 + window * 3) % 48),
);
const calibration = { source: 'drawn', sha256: '0'.repeat(64), seed: 0 };

let runtime: Runtime;
let open: OpenModel;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
  open = new OpenModel(
    runtime,
    randomLlama({
      layers: 5,
      hiddenSize: 32,
      queryHeads: 4,
      keyValueHeads: 2,
      headDimension: 8,
      neurons: 40,
      vocabulary: 48,
      seed: 11,
    }),
  );
});
afterAll(() => {
  open.dispose();
  runtime.dispose();
});

it('a cancelled run keeps its layers, and the next one goes on to the same file', async () => {
  const { file: store, kept } = memoryFile();
  const cancel = new AbortController();
  const cancelled = score(open, {
    ...{ windows, calibration, state: lenient(store), signal: cancel.signal },
    onProgress: ({ completed, total }) => completed > 0.7 * total && cancel.abort(),
  });
  await expect(cancelled).rejects.toThrow(CancelledError);
  expect(kept()).toBeDefined();
  const told: number[] = [];
  const onLayer: ScoreOptions['onLayer'] = (layer, scores) => {
    told.push(layer);
    expect(scores.mlp['element-second']).toHaveLength(40);
  };
  const finished = await score(open, { windows, calibration, state: lenient(store), onLayer });
  expect(finished.resumedLayers).toBeGreaterThan(1);
  expect(told).toEqual([4, 3, 2, 1, 0]);
  const whole = await score(open, { windows, calibration });
  expect(Buffer.from(encodeScores(finished.scores)).equals(encodeScores(whole.scores))).toBe(true);
  // Other windows: the state is of another run.
  const other = windows.slice(1);
  expect(
    (await resumable(open, other, await sumsInfo(open, { windows: other, calibration }, 'f32'), store)).resume,
  ).toBeUndefined();
});

it('a run that is cancelled within a layer keeps the batches that are done', async () => {
  // Three batches.
  const long = Array.from({ length: 20 }, (_, window) =>
    Int32Array.from({ length: 120 }, (_, token) => (token * 5 + window * 3) % 48),
  );
  const { file, kept } = memoryFile();
  const cancel = new AbortController();
  const state = {
    ...file,
    betweenStates: 0,
    save: async (bytes: Uint8Array<ArrayBuffer>) => {
      await file.save(bytes);
      if (new TextDecoder().decode(bytes.subarray(0, 100_000)).includes('.first/')) cancel.abort();
    },
  };
  await expect(score(open, { windows: long, calibration, state, signal: cancel.signal })).rejects.toThrow(
    CancelledError,
  );
  expect(kept()).toBeDefined();
  const countedRuns = async (options: Pick<ScoreOptions, 'state'>) => {
    const before = runtime.statistics().runs;
    const run = await score(open, { windows: long, calibration, ...options });
    return { run, count: runtime.statistics().runs - before };
  };
  const { run: finished, count } = await countedRuns({ state: file });
  const { run: whole, count: all } = await countedRuns({});
  expect(Buffer.from(encodeScores(finished.scores)).equals(encodeScores(whole.scores))).toBe(true);
  expect(finished.resumedLayers).toBe(0);
  expect(count).toBeLessThan(all);
});

it('a store that fails loses the state and nothing else', async () => {
  const fail = async () => {
    throw new UsageError('The storage is full.');
  };
  const run = await score(open, {
    windows,
    calibration,
    state: lenient({ name: 'full', load: fail, save: fail, clear: fail }),
  });
  expect(run.resumedLayers).toBe(0);
});
