import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import type { Wllama } from '@wllama/wllama/esm/index.js';
import { openNamed } from '../src/checkpoint/local.ts';
import { type MemoryFolder, memoryFolder } from '../src/export/memory-folder.ts';
import { openDecoder } from '../src/generate/decoder.ts';
import { decodeScores } from '../src/importance/files/score-file.ts';
import { exportPruned } from '../src/library/export.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { planFor } from '../src/library/plan.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { type PlainHost, plainHost } from './plain-host.ts';

/** llama.cpp as WebAssembly, in the browser, goes on with our GGUF files as our ONNX files do in ONNX Runtime. Ids are compared: llama.cpp has no name for the rule by which `stories` cuts words. */
declare global {
  interface Window {
    readonly Wllama: typeof Wllama;
  }
}

const PROMPT = 'Once upon a time, there was a little girl named Lily. She';
const GREEDY = 32;
const WLLAMA = join(import.meta.dirname, '../node_modules/@wllama/wllama/esm');
const PAGE =
  '<!doctype html><link rel="icon" href="data:,"><script type="module">import { Wllama } from "./index.js"; window.Wllama = Wllama;</script>';

const CASES = [
  { shape: 'uniform', architecture: 'llama', ggufType: 'F32', dtype: 'f32' },
  { shape: 'uniform', architecture: 'llama', ggufType: 'F16', dtype: 'f16' },
  { shape: 'free', architecture: 'deci', ggufType: 'F32', dtype: 'f32' },
  { shape: 'free', architecture: 'deci', ggufType: 'F16', dtype: 'f16' },
] as const;

let runtime: Runtime;
let folder: string;
let host: PlainHost;
test.beforeAll(async () => {
  runtime = await createNodeRuntime({});
  folder = await mkdtemp(join(tmpdir(), 'espalier-wllama-'));
  await writeFile(join(folder, 'index.html'), PAGE);
  await copyFile(join(WLLAMA, 'index.js'), join(folder, 'index.js'));
  await copyFile(join(WLLAMA, 'single-thread/wllama.wasm'), join(folder, 'wllama.wasm'));
  host = await plainHost(folder, '/');
});
test.afterAll(async () => {
  await host.close();
  runtime.dispose();
  await rm(folder, { recursive: true, force: true });
});

for (const { shape, architecture, ggufType, dtype } of CASES)
  test(`stories of the shape ${shape} goes on in wllama as in our export, in ${ggufType}`, async ({ page }) => {
    using open = new OpenModel(runtime, await openNamed('stories'));
    const scores = await decodeScores(new Uint8Array(await readFile('public/models/stories/scores.safetensors')));
    const plan = planFor(open, scores, { target: { kind: 'ratio', value: 0.2 }, shape });
    using pruned = open.pruned(plan.layers);
    const output = memoryFolder();
    await exportPruned(pruned, { output, plan, formats: ['onnx', 'gguf'], dtype, ggufType });
    const prompt = (await pruned.tokenizer()).encode(PROMPT);
    const ours = await greedyHere(output, prompt);
    expect(new Set(ours).size).toBeGreaterThan(GREEDY / 4);

    const [name = '', gguf] = [...output.files].find(([file]) => file.endsWith('.gguf')) ?? [];
    await writeFile(join(folder, name), new Uint8Array((await gguf?.arrayBuffer()) ?? []));
    const elsewhere: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(host.url) && !/^(blob|data):/.test(request.url())) elsewhere.push(request.url());
    });
    await page.goto(host.url);
    await page.waitForFunction(() => 'Wllama' in window);
    const theirs = await greedyInPage(page, name, prompt);
    expect(theirs).toEqual({ architecture, isMultithread: false, tokens: ours });
    expect(elsewhere).toEqual([]);
  });

/** The most probable tokens after the prompt by the ONNX file that was written. */
async function greedyHere(output: MemoryFolder, prompt: readonly number[]): Promise<number[]> {
  const file = [...output.files.keys()].find((name) => /^onnx\/model[^/]*\.onnx$/.test(name)) ?? '';
  const { model, externalData } = await output.openModel(file, `${file}_data`, runtime.backend);
  using decoder = await openDecoder(runtime, model, { externalData });
  using sequence = decoder.start(prompt.length + GREEDY);
  let logits = await sequence.append(prompt);
  const tokens: number[] = [];
  while (tokens.length < GREEDY) {
    const best = logits.reduce((found, value, id) => (value > (logits[found] ?? 0) ? id : found), 0);
    tokens.push(best);
    logits = await sequence.append([best]);
  }
  return tokens;
}

/** The same by llama.cpp in the page, of the GGUF file, on one thread. */
async function greedyInPage(page: Page, name: string, prompt: readonly number[]) {
  return page.evaluate(
    async ({ file, ids, count }) => {
      const here = (path: string) => new URL(path, location.href).href;
      const wllama = new window.Wllama(
        { 'single-thread/wllama.wasm': here('wllama.wasm') },
        { suppressNativeLog: true },
      );
      const blob = await (await fetch(here(file))).blob();
      await wllama.loadModel([blob], { n_threads: 1, n_ctx: 128, cache_type_k: 'f32', cache_type_v: 'f32' });
      await wllama.samplingInit({ temp: 0 });
      const tokens: number[] = [];
      let next = [...ids];
      while (tokens.length < count) {
        await wllama.decode(next, {});
        const { token } = await wllama.samplingSample();
        tokens.push(token);
        await wllama.samplingAccept([token]);
        next = [token];
      }
      const found = {
        architecture: wllama.getModelMetadata().meta['general.architecture'],
        isMultithread: wllama.isMultithread(),
        tokens,
      };
      await wllama.exit();
      return found;
    },
    { file: name, ids: prompt, count: GREEDY },
  );
}
