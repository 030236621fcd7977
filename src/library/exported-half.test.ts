import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { diskFolder } from '../checkpoint/files/disk.ts';
import { openCheckpoint } from '../checkpoint/folder.ts';
import { diskOutput, openOnDisk } from '../export/disk.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { exportPruned } from './export.ts';
import { openExportedFiles } from './exported-model.ts';
import { generate } from './generate.ts';
import { OpenModel } from './open-model.ts';

let folder: string;
const runtimes: Runtime[] = [];
const newRuntime = async () => {
  const runtime = await createNodeRuntime({ threads: 2 });
  runtimes.push(runtime);
  return runtime;
};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-half-'));
  using open = new OpenModel(
    await newRuntime(),
    await openCheckpoint(await diskFolder('public/models/stories'), { name: 'stories' }),
  );
  await exportPruned(open, { output: await diskOutput(join(folder, 'half')), dtype: 'f16' });
});
afterAll(async () => {
  for (const runtime of runtimes) runtime.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** Greedy text of the folder's decoder on a runtime, with what was told on the way. */
async function written(runtime: Runtime) {
  const notes: string[] = [];
  const path = join(folder, 'half');
  using model = await openExportedFiles(
    runtime,
    await diskFolder(path),
    (file) => openOnDisk(join(path, file), runtime.backend),
    (note) => notes.push(note),
  );
  const { text } = await generate(model, { prompt: 'Once upon a time', maxNewTokens: 12 });
  return { text, notes, cacheType: model.decoder.cacheType };
}

/** Half precision whose matrix products saturate: logits are cut at 4. */
async function saturating(): Promise<Runtime> {
  const runtime = await newRuntime();
  const createSession = runtime.createSession.bind(runtime);
  runtime.createSession = async (...call) => {
    const session = await createSession(...call);
    if (!session.inputs.some(({ dataType }) => dataType === 'float16')) return session;
    const run = session.run.bind(session);
    session.run = async (...feeds) => {
      const { logits, ...others } = await run(...feeds);
      if (!logits) return others;
      const { data, shape, dataType } = await runtime.read(logits);
      logits.dispose();
      return {
        ...others,
        logits: runtime.upload({ dataType, shape, data: (data as Float32Array).map((value) => Math.min(4, value)) }),
      };
    };
    return session;
  };
  return runtime;
}

test('an exported decoder in half precision is used where it is right; where its kernels are wrong, one sentence says so and single precision writes the text', async () => {
  const right = await written(await newRuntime());
  expect(right).toMatchObject({ notes: [], cacheType: 'float16' });
  const wrong = await written(await saturating());
  expect(wrong).toMatchObject({ text: right.text, cacheType: 'float32' });
  expect(wrong.notes).toEqual([
    expect.stringMatching(
      /^onnx\/model_fp16\.onnx: half precision is wrong on this device: .* is allowed\. Single precision is used instead\.$/,
    ),
  ]);
});
