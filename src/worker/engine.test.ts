import { readFile } from 'node:fs/promises';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diskFolder } from '../checkpoint/files/disk.ts';
import { blobFolder } from '../checkpoint/files/file.ts';
import { openCheckpoint } from '../checkpoint/folder.ts';
import { CancelledError, EspalierError, UsageError } from '../errors.ts';
import { judgeTask } from '../evaluate/tasks-result.ts';
import { GENAI_FILE } from '../export/genai.ts';
import type { Scores } from '../importance/sums/scores.ts';
import type { TaskItemResult } from '../library/tasks.ts';
import { makePlan } from '../plan/make-plan.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { filesOfZip } from '../studio/features/model/zip-files.ts';
import { createEngine, type Engine, type Repair } from './engine.ts';

const FOLDER = 'public/models/stories';
const text =
  'Once upon a time there was a little tree. It grew in a garden by the wall. One day the gardener came with his knife. '.repeat(
    12,
  );
const none = async () => {
  throw new UsageError('There is no hub in this test.');
};

describe('the engine behind the page, on the embedded model', () => {
  let runtime: Runtime;
  let engine: Engine;
  let scores: Scores;

  beforeAll(async () => {
    runtime = await createNodeRuntime({ threads: 2 });
    engine = createEngine({
      support: async () => ({
        available: false,
        reason: 'No browser.',
        adapter: undefined,
        software: false,
        checks: [],
      }),
      createRuntime: async () => runtime,
      open: async (source) =>
        source.kind === 'files'
          ? openCheckpoint(blobFolder(source.files), { name: 'files' })
          : openCheckpoint(await diskFolder(FOLDER), { name: 'stories' }),
      ...{ offer: none, stored: async () => [], forget: none },
    });
    await engine.backend('auto');
    await engine.openModel({ kind: 'embedded', id: 'stories' });
    scores = await engine.score({ text, source: 'test', windows: 2, length: 16, seed: 0 });
  });
  afterAll(() => runtime.dispose());

  const plan = () => makePlan(scores, { target: { kind: 'ratio', value: 0.3 } });

  it('measures the pruned model, and dense as a plan that removes nothing', async () => {
    const request = { text, windows: 2, length: 32 };
    const dense = await engine.evaluate(null, request);
    const whole = await engine.evaluate(makePlan(scores, { target: { kind: 'ratio', value: 0 } }), request);
    const pruned = await engine.evaluate(plan(), request);
    expect(dense.tokens).toBe(2 * 31);
    expect(whole.perplexity).toBeCloseTo(dense.perplexity, 4);
    expect(pruned.perplexity).not.toBeCloseTo(dense.perplexity, 2);
  });

  it('measures a task by block programs and by the exported decoder, and goes on from finished items', async () => {
    const items = [
      { query: 'Once upon a time, there was a little', choices: ['girl named Lily.', 'because went under.'], gold: 0 },
      { query: 'The sun was', choices: ['of of a.', 'shining and the birds sang.', 'Tim.'], gold: 1 },
    ];
    const task = { name: 'quiz', items };
    const kept: TaskItemResult[] = [];
    const blocks = await engine.task(
      plan(),
      { task, through: 'blocks', finished: [] },
      { onItems: (found) => kept.push(...found) },
    );
    const decoder = await engine.task(plan(), { task, through: 'decoder', finished: [] });
    expect(kept.map(({ item }) => item).sort()).toEqual([0, 1]);
    blocks.flat().forEach((value, index) => {
      expect(value).toBeCloseTo(decoder.flat()[index] ?? Number.NaN, 3);
    });
    expect(judgeTask(task, blocks).predictions).toEqual([0, 1]);
    const known = [{ item: 0, logLikelihoods: [-1, -2] }];
    const again: number[] = [];
    const resumed = await engine.task(
      plan(),
      { task, through: 'blocks', finished: known },
      { onItems: (found) => again.push(...found.map(({ item }) => item)) },
    );
    expect(again).toEqual([1]);
    expect(resumed[0]).toEqual([-1, -2]);
    expect(resumed[1]).toEqual(blocks[1]?.map((value) => expect.closeTo(value, 3)));
  });

  it('writes a text of its own that it can be scored on', async () => {
    const request = { windows: 3, length: 24, seed: 0 };
    const own = await engine.sample(request);
    expect(await engine.sample(request)).toBe(own);
    const drawn = await engine.windows({ text: own, windows: 2, length: 24, seed: 0, from: 0, count: 2 });
    expect(drawn.texts).toHaveLength(2);
    expect(own).toContain(drawn.texts[0]?.slice(2, 20));
    const controller = new AbortController();
    controller.abort();
    await expect(engine.sample(request, { signal: controller.signal })).rejects.toThrow(CancelledError);
  });

  it('writes the same text twice for one seed, dense and pruned from the same prompt', async () => {
    const request = { prompt: 'Once upon a time', maxNewTokens: 8, temperature: 0.8, seed: 3, chat: false };
    const heard: number[] = [];
    const first = await engine.generate(plan(), request, { onToken: ({ id }) => heard.push(id) });
    const second = await engine.generate(plan(), request);
    expect(heard).toEqual(first.tokenIds);
    expect(second.tokenIds).toEqual(first.tokenIds);
  });

  it('repairs what it measures, writes and hands out, in the same way', async () => {
    const [calibration, unseen] = await Promise.all(
      ['calibration', 'evaluation'].map((name) => readFile(`${FOLDER}/${name}.txt`, 'utf8')),
    );
    const repair: Repair = {
      compensate: 'least-squares',
      text: calibration ?? '',
      windows: 32,
      length: 64,
      seed: 0,
      lambda: 1e-3,
    };
    const request = { text: unseen ?? '', windows: 6, length: 64 };
    const plain = await engine.evaluate(plan(), request);
    const repaired = await engine.evaluate(plan(), { ...request, repair });
    const biased = await engine.evaluate(plan(), { ...request, repair: { ...repair, compensate: 'bias' } });
    expect(repaired.perplexity).toBeLessThan(plain.perplexity);
    expect(biased.perplexity).not.toBeCloseTo(plain.perplexity, 2);
    const { archive } = await engine.export(plan(), { dtype: 'f32', text, repair });
    const files = unzipSync(new Uint8Array((await archive?.arrayBuffer()) ?? new ArrayBuffer()));
    const record = JSON.parse(new TextDecoder().decode(files['stories-pruned-30-f32/espalier.json'])) as {
      recipe: { compensate: string };
    };
    expect(record.recipe.compensate).toBe('least-squares');
  });

  it('compares methods, repaired and trained, by the seed', async () => {
    const cell = {
      ...{ ratio: 0.3, seed: 1, repairWindows: 2, measureWindows: 1 },
      calibration: { text, source: 'text', windows: 2, length: 32 },
      measured: { text, windows: 2, length: 32 },
      training: { text, length: 32, steps: 2, batchWindows: 2, bits: 4 as const },
    };
    const plain = await engine.compareCell({ ...cell, method: 'saap' });
    expect(plain).toMatchObject({ method: 'saap', ratio: 0.3, seed: 1 });
    const stages = new Set<string>();
    const onProgress = ({ stage }: { readonly stage: string }) => void stages.add(stage);
    const trained = await engine.compareCell({ ...cell, method: 'saap+bias+lora' }, { onProgress });
    expect(trained.perplexity).not.toBe(plain.perplexity);
    expect(trained.recovery).toMatchObject({ method: 'lora', steps: 2 });
    expect([...stages].join(), 'scores of a seed are kept').not.toContain('scoring');
    expect((await engine.compareCell({ ...cell, method: 'saap' })).perplexity).toBe(plain.perplexity);
  });

  it('plans in passes, each of which scores what is left', async () => {
    const stages = new Set<string>();
    const calibration = { text, source: 'text', windows: 2, length: 32, seed: 0 };
    const plan = await engine.planInPasses(
      { scores, options: { target: { kind: 'ratio', value: 0.3 } }, passes: 2, ...calibration },
      { onProgress: ({ stage }) => void stages.add(stage) },
    );
    expect(plan.recipe).toMatchObject({ passes: 2 });
    expect(plan.ratio).toBeGreaterThan(0.2);
    expect([...stages].some((stage) => stage.endsWith('pass 2 of 2'))).toBe(true);
  });

  it('refines a plan to one that is no worse on calibration, and that its recipe makes again', async () => {
    const options = { target: { kind: 'ratio', value: 0.3 } } as const;
    const refined = await engine.refine({ scores, options, text, windows: 2, length: 32, seed: 0, evaluations: 2 });
    expect(refined.loss).toBe(Math.min(...refined.measurements.map(({ loss }) => loss)));
    expect(refined.measurements.slice(0, refined.candidates).map(({ name }) => name)).toContain('tempered');
    const { model: _, calibration: __, ...recipe } = refined.plan.recipe;
    expect(makePlan(scores, recipe).layers).toEqual(refined.plan.layers);
  });

  it('shows the windows that a run draws, page by page', async () => {
    const request = { text, windows: 4, length: 16, seed: 5 };
    const all = await engine.windows({ ...request, from: 0, count: 4 });
    const second = await engine.windows({ ...request, from: 1, count: 1 });
    expect(all.texts).toHaveLength(4);
    expect(second.texts).toEqual([all.texts[1]]);
    expect(all.available).toBe(Math.floor(all.tokens / 16));
    for (const window of all.texts) expect(text).toContain(window.trim());
  });

  it('fits a plan to a size to the byte', async () => {
    const { archive: whole } = await engine.export(makePlan(scores, { target: { kind: 'ratio', value: 0 } }), {
      dtype: 'q8',
      text,
    });
    const target = { kind: 'bytes', value: Math.round(0.8 * (whole?.size ?? 0)) } as const;
    const fitted = await engine.fit(scores, { target, dtype: 'q8' });
    const { files } = await engine.export(fitted, { dtype: 'q8', text });
    const bytes = files
      .filter(({ name }) => name.startsWith('onnx/') && name !== GENAI_FILE)
      .reduce((sum, file) => sum + file.bytes, 0);
    expect(bytes).toBeLessThanOrEqual(target.value);
    expect(bytes).toBeGreaterThan(0.97 * target.value);
  });

  it('times dense and pruned in turn', async () => {
    const { dense, pruned, decode } = await engine.speed(plan(), { promptTokens: 8, newTokens: 4, seconds: 2 });
    expect(dense.decode.low).toBeGreaterThan(0);
    expect(decode.low).toBeLessThanOrEqual(decode.high);
    expect(pruned.bytes).toBeLessThan(dense.bytes);
  });

  it('hands out a verified archive', async () => {
    const figures = { 'perplexity of a test': '12.5 (dense 10.1)' };
    const { archive, name, card, verification } = await engine.export(plan(), { dtype: 'f32', text, figures });
    expect(name).toBe('stories-pruned-30-f32');
    expect(verification.positions).toBe(256);
    expect(await card.text()).toContain('perplexity of a test');
    const files = unzipSync(new Uint8Array((await archive?.arrayBuffer()) ?? new ArrayBuffer()));
    expect(Object.keys(files)).toContain('stories-pruned-30-f32/onnx/model.onnx');
  });

  it('hands out every format in one folder, with the vocabulary that was asked for', async () => {
    const vocabulary = { keep: '1024', text, windows: 4, length: 32, seed: 0 };
    const { files, formats, card } = await engine.export(plan(), {
      ...{ dtype: 'f32', formats: ['safetensors', 'gguf'], ggufType: 'F16', text, vocabulary },
    });
    expect(formats.map(({ format, type }) => `${format} ${type}`)).toEqual(['safetensors float32', 'gguf F16']);
    const config = files.find(({ name }) => name === 'config.json')?.content;
    expect(JSON.parse((await config?.text()) ?? '{}').vocab_size).toBeLessThanOrEqual(1024);
    expect(await card.text()).toContain('tokens in the vocabulary');
  });

  it('stops when it is told to, and works on afterwards', async () => {
    const controller = new AbortController();
    const scoring = engine.score(
      { text, source: 'test', windows: 4, length: 32, seed: 0 },
      { signal: controller.signal, onProgress: () => controller.abort() },
    );
    await expect(scoring).rejects.toBeInstanceOf(CancelledError);
    expect((await engine.evaluate(null, { text, windows: 1, length: 8 })).tokens).toBe(7);
  });

  it('keeps no more than two decoders, and no tensors of runs that are over', async () => {
    const before = runtime.statistics();
    for (const value of [0.1, 0.2, 0.4]) {
      const other = makePlan(scores, { target: { kind: 'ratio', value } });
      await engine.generate(other, { prompt: 'One day', maxNewTokens: 1, temperature: 0, seed: 0, chat: false });
    }
    const after = runtime.statistics();
    expect(after.liveSessions).toBeLessThanOrEqual(before.liveSessions + 2);
    expect(after.liveTensors).toBe(before.liveTensors);
  });

  it('opens what it handed out, with its own widths, and generates at once; a file of no use leaves the model that is open', async () => {
    const request = { prompt: 'One day', maxNewTokens: 6, temperature: 0, seed: 0, chat: false };
    const pruned = await engine.generate(plan(), request);
    const { archive } = await engine.export(plan(), { dtype: 'f32', text });
    const files = await filesOfZip(archive ?? new Blob(), 'stories.zip');
    const opened = await engine.openModel({ kind: 'files', files });
    const kept = plan().layers.map(({ attention, mlp }) => [attention.length, mlp.length]);
    expect(opened.layers.map(({ attention, mlp }) => [attention.groups, mlp.groups])).toEqual(kept);
    expect((await engine.generate(null, request)).tokenIds).toEqual(pruned.tokenIds);
    const useless = [{ path: 'notes.txt', blob: new Blob(['not a model']) }];
    await expect(engine.openModel({ kind: 'files', files: useless })).rejects.toBeInstanceOf(EspalierError);
    const withoutTokenizer = files.filter(({ path }) => !path.includes('tokenizer'));
    await expect(engine.openModel({ kind: 'files', files: withoutTokenizer })).rejects.toBeInstanceOf(EspalierError);
    expect((await engine.generate(null, request)).tokenIds).toEqual(pruned.tokenIds);
    expect(await engine.lastOpening()).toBe(opened.opening);
  });

  it('leaves the model that is open where opening another is cancelled at the last moment', async () => {
    const before = await engine.lastOpening();
    const late = new AbortController();
    const opening = engine.openModel({ kind: 'embedded', id: 'stories' }, { signal: late.signal });
    late.abort();
    await expect(opening).rejects.toBeInstanceOf(CancelledError);
    expect(await engine.lastOpening()).toBe(before);
    const { opening: after } = await engine.openModel({ kind: 'embedded', id: 'stories' });
    expect(after).toBe(before + 1);
  });
});
