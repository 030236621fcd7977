import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { openNamed } from '../checkpoint/local.ts';
import { UsageError } from '../errors.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import { decodeScores } from '../importance/files/score-file.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { layoutWithTokens } from '../surgery/vocabulary.ts';
import { OpenModel } from './open-model.ts';
import { spendVocabulary } from './spend-vocabulary.ts';
import { bytesOfExport } from './storage.ts';

let runtime: Runtime;
let open: OpenModel;
let scores: Scores;
let windows: Int32Array[];
beforeAll(async () => {
  runtime = await createNodeRuntime({});
  open = new OpenModel(runtime, await openNamed('stories'));
  scores = await decodeScores(new Uint8Array(await readFile('public/models/stories/scores.safetensors')));
  const text = await readFile('public/models/stories/calibration.txt', 'utf8');
  windows = tokenWindows((await open.tokenizer()).encode(text.slice(0, 20_000)), { length: 64 });
});
afterAll(() => {
  open.dispose();
  runtime.dispose();
});

test('a target in bytes is met with the size of the vocabulary that needs the fewest bits for a byte of text', async () => {
  const target = { kind: 'bytes', value: 6_000_000 } as const;
  const { plan, trials } = await spendVocabulary(open, scores, {
    plan: { target, dtype: 'f16' },
    windows: windows.slice(0, 8),
    measureWindows: windows.slice(8, 10),
  });
  expect(trials.length).toBeGreaterThan(2);
  expect(trials[0]?.tokens).toBe(4096);
  // Who gives up tokens keeps more of attention and MLP.
  expect(trials.map(({ ratio }) => ratio)).toEqual(trials.map(({ ratio }) => ratio).sort((a, b) => b - a));
  const best = trials.reduce((a, b) => (b.bitsPerByte < a.bitsPerByte ? b : a));
  expect(plan.ratio).toBe(best.ratio);
  // The plan's own words for it, and a file that stays within the target to the byte.
  const tokens = Math.floor(Number(plan.recipe.vocabulary ?? 1) * 4096);
  expect(tokens).toBeGreaterThanOrEqual(best.tokens);
  using pruned = open.pruned(plan.layers);
  const bytes = bytesOfExport(modelOf(layoutWithTokens(pruned.model.checkpoint, tokens)), 'f16');
  expect(bytes).toBeLessThanOrEqual(target.value);
  expect(bytes).toBeGreaterThan(0.98 * target.value);
});

test('a ratio spends no vocabulary', async () => {
  const asked = spendVocabulary(open, scores, {
    plan: { target: { kind: 'ratio', value: 0.2 } },
    windows,
    measureWindows: windows,
  });
  await expect(asked).rejects.toThrow(UsageError);
  await expect(asked).rejects.toThrow('--parameters or --bytes');
});
