import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Checkpoint, TensorInfo } from '../checkpoint/checkpoint.ts';
import type { JsonRecord } from '../checkpoint/files/json.ts';
import { halfToFloat } from '../checkpoint/half.ts';
import type { TaskItem } from '../evaluate/tasks.ts';
import { judgeTask } from '../evaluate/tasks-result.ts';
import { memoryCheckpoint } from '../export/testing/memory-checkpoint.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { OpenModel } from './open-model.ts';
import { evaluateTasks, taskLogLikelihoods } from './tasks.ts';

/** What scripts/fixtures/make_zero_shot.py writes: a small model, awkward items, and what the script computes for them by itself. */
interface Fixture {
  config: JsonRecord;
  tensors: Record<string, { shape: number[]; data: string }>;
  tokenizer: JsonRecord;
  items: TaskItem[];
  logLikelihoods: number[][];
  predictions: number[];
  predictionsNormalized: number[];
}
const fixture = JSON.parse(await readFile(join(import.meta.dirname, 'fixtures/zero-shot.json'), 'utf8')) as Fixture;

function checkpointOf({ config, tensors, tokenizer }: Fixture): Checkpoint {
  const infos = new Map<string, TensorInfo>();
  const data = new Map<string, Float32Array>();
  for (const [name, { shape, data: base64 }] of Object.entries(tensors)) {
    const bytes = new Uint8Array(Buffer.from(base64, 'base64'));
    infos.set(name, { name, storage: 'F32', shape, byteLength: 2 * bytes.length });
    data.set(name, halfToFloat(new Uint16Array(bytes.buffer)));
  }
  const file = async (name: string) =>
    name === 'tokenizer.json' ? new TextEncoder().encode(JSON.stringify(tokenizer)) : undefined;
  return {
    ...memoryCheckpoint({ name: 'small', format: 'safetensors' }, config, infos, data),
    byteLength: 0,
    file,
  };
}

test('200 items with joins, long, empty and nearly equal choices are scored as an independent script scores them', async () => {
  using runtime = await createNodeRuntime({ threads: 1 });
  using open = new OpenModel(runtime, checkpointOf(fixture));
  const task = { name: 'awkward', items: fixture.items };
  const found = await taskLogLikelihoods(open, task);
  expect(found.map(({ length }) => length)).toEqual(fixture.logLikelihoods.map(({ length }) => length));
  const difference = found.flatMap((row, item) =>
    row.map((value, choice) => Math.abs(value - (fixture.logLikelihoods[item]?.[choice] ?? Number.NaN))),
  );
  expect(difference).toHaveLength(fixture.logLikelihoods.flat().length);
  // Float32 against float64, over up to 48 tokens a choice.
  expect(Math.max(...difference)).toBeLessThan(1e-3);
  const { predictions, predictionsNormalized, unscored } = judgeTask(task, found);
  expect({ predictions, predictionsNormalized, unscored }).toEqual({
    predictions: fixture.predictions,
    predictionsNormalized: fixture.predictionsNormalized,
    unscored: 0,
  });
});

test('an item that cannot be scored is told, counted and wrong, and the others are scored', async () => {
  using runtime = await createNodeRuntime({ threads: 1 });
  const { bos_token_id: _, eos_token_id: __, ...config } = fixture.config;
  using open = new OpenModel(runtime, checkpointOf({ ...fixture, config }));
  const items = [{ query: '', choices: ['a', 'b'], gold: 0 }, ...fixture.items.slice(0, 2)];
  const reasons: string[] = [];
  const kept: [number, number][] = [];
  const results = await evaluateTasks(open, [{ name: 'plain', items }], {
    onUnscored: (task, item, reason) => reasons.push(`${task} ${item}: ${reason}`),
    onItems: (_task, done) =>
      void kept.push(...done.map(({ item, logLikelihoods }): [number, number] => [item, logLikelihoods.length])),
  });
  expect(results.plain).toMatchObject({ items: 3, unscored: 1, predictions: [-1, ...fixture.predictions.slice(0, 2)] });
  expect(new Map(kept)).toEqual(new Map(items.map(({ choices }, item) => [item, item === 0 ? 0 : choices.length])));
  expect(reasons).toEqual([
    'plain 0: Task plain, item 0: the query is empty and the tokenizer has neither a BOS nor an EOS token to stand for it.',
  ]);
});
