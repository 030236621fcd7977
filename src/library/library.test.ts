import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHub } from '../checkpoint/testing/hub-server.ts';
import { tinyText, writeTinyModel } from '../cli/testing/tiny-model.ts';
import * as espalier from '../index.ts';
import * as web from '../web.ts';

let folder: string;
let model: espalier.OpenModel;
let windows: Int32Array[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-library-'));
  const path = await writeTinyModel(join(folder, 'tiny'));
  const template = '{% for message in messages %}{{ message.role[0] }} {{ message.content }}\n{% endfor %}a ';
  await writeFile(
    join(path, 'tokenizer_config.json'),
    JSON.stringify({ bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>', chat_template: template }),
  );
  model = await espalier.openModel(path, { threads: 1 });
  windows = espalier.tokenWindows((await model.tokenizer()).encode(tinyText(400)), { length: 16 });
});
afterAll(async () => {
  model.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** A server that goes with the test. */
async function closing<Server extends { close(): Promise<void> }>(started: Promise<Server>) {
  const value = await started;
  return { value, [Symbol.asyncDispose]: () => value.close() };
}

/** Whether nothing is left on a runtime that goes with what was opened. */
const isDisposed = (runtime: espalier.Runtime) => {
  expect(runtime.statistics().liveTensors).toBe(0);
  expect(() => runtime.allocate('float32', [1])).toThrow();
};

describe('in Node', () => {
  it('a recovered model is exported to a path, and opened again by it', async () => {
    const recovered = await espalier.recover(model, {
      examples: windows.map((tokens) => ({ tokens })),
      method: 'group-wise',
      steps: 2,
      teacher: model,
    });
    const output = join(folder, 'recovered');
    const { verification } = await espalier.exportPruned(recovered.model, { output, dtype: 'q4' });
    recovered.model.dispose();
    expect(verification.positions).toBeGreaterThanOrEqual(256);
    expect(await readdir(join(output, 'onnx'))).toContain('model_q4.onnx');
    const exported = await espalier.openExported(output, { threads: 1 });
    const { perplexity } = await espalier.evaluate(exported, { windows });
    expect(perplexity).toBeGreaterThan(1);
    exported[Symbol.dispose]();
    isDisposed(exported.runtime);
    await expect(espalier.openExported(join(folder, 'tiny'), { threads: 1 })).rejects.toThrow('has no onnx/model.onnx');
  });

  it('an export to a path that fails leaves nothing there', async () => {
    await writeFile(join(folder, 'a file'), '');
    const names = await readdir(folder);
    await expect(espalier.exportPruned(model, { output: join(folder, 'a file') })).rejects.toThrow('it is a file');
    const aborted = AbortSignal.abort();
    await expect(espalier.exportPruned(model, { output: join(folder, 'new'), signal: aborted })).rejects.toThrow(
      espalier.CancelledError,
    );
    expect(await readdir(folder)).toEqual(names);
  });

  it('tokens come one by one, and who leaves the loop ends the generation', async () => {
    const options = { prompt: 'a b', maxNewTokens: 8, eosTokenIds: [] };
    const whole = await espalier.generate(model, options);
    const seen: number[] = [];
    for await (const { tokenId } of espalier.generateTokens(model, options)) seen.push(tokenId);
    expect(seen).toEqual(whole.tokenIds);
    const before = model.runtime.statistics().liveTensors;
    for await (const { tokenId } of espalier.generateTokens(model, options)) {
      expect(tokenId).toBe(seen[0]);
      break;
    }
    expect(model.runtime.statistics().liveTensors).toBe(before);
  });

  it('a conversation remembers what was said, but for answers that were not read to their end', async () => {
    using chat = await espalier.openChat(model, { system: 'be', maxNewTokens: 4, eosTokenIds: [] });
    let text = '';
    for await (const token of chat.send('hi')) text += token.text;
    const said = [
      { role: 'system', content: 'be' },
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: text },
    ];
    expect(chat.messages).toEqual(said);
    const prompt = [...said, { role: 'user', content: 'so' }] as espalier.ChatMessage[];
    const alone = await espalier.generate(model, { prompt, maxNewTokens: 2, eosTokenIds: [] });
    for await (const { tokenId } of chat.send('so', { maxNewTokens: 2 })) {
      expect(tokenId).toBe(alone.tokenIds[0]);
      await expect(chat.send('more').next()).rejects.toThrow('An answer is being read');
      break;
    }
    expect(chat.messages).toEqual(said);
    using stories = await espalier.openModel('stories', { threads: 1 });
    await expect(espalier.openChat(stories)).rejects.toThrow('has no chat template');
  });
});

describe('in a browser', () => {
  /** The files of the model as somebody drops them on a page. */
  const dropped = async () => {
    const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
    return web.blobFolder(
      await Promise.all(
        names.map(async (name) => ({
          path: `tiny/${name}`,
          blob: new Blob([await readFile(join(folder, 'tiny', name))]),
        })),
      ),
    );
  };

  it('dropped files are pruned into memory, zipped, and opened again', async () => {
    using open = await web.openModel(await web.openCheckpoint(await dropped()), { runtime: model.runtime });
    const { scores } = await web.score(open, {
      windows,
      calibration: { source: 'drawn', sha256: '0'.repeat(64), seed: 0 },
      metrics: ['magnitude-l2'],
    });
    const plan = web.plan(scores, { target: { kind: 'ratio', value: 0.3 }, metric: 'magnitude-l2', search: 'uniform' });
    const output = web.memoryFolder();
    const { pruned } = await web.prune(open, { plan, output });
    expect((await web.zipBlob(output.files, 'tiny-30')).size).toBeGreaterThan(10_000);
    const { archive } = await web.exportArchive(pruned, 'tiny-30', { dtype: 'q8' });
    pruned.dispose();
    expect(archive.size).toBeGreaterThan(5_000);
    const files = [...output.files].map(([path, blob]) => ({ path, blob }));
    using exported = await web.openExported(web.blobFolder(files), { runtime: open.runtime });
    const { tokenIds } = await web.generate(exported, { prompt: 'a b', maxNewTokens: 5, eosTokenIds: [] });
    expect(tokenIds).toHaveLength(5);
  });

  it('refuses what only Node has, by name', async () => {
    await expect(web.createRuntime({ backend: 'cpu' })).rejects.toThrow('The backend cpu is that of Node');
    await expect(web.createRuntime({ adapter: 'NVIDIA' })).rejects.toThrow('cannot be chosen in a browser');
    await expect(web.openModel('stories', { backend: 'wasm' })).rejects.toThrow('"stories" is no model of a hub');
  });

  it("opens a hub's model on a page by ranges, without keeping it", async () => {
    const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
    const files = await Promise.all(
      names.map(async (name) => [name, new Uint8Array(await readFile(join(folder, 'tiny', name)))] as const),
    );
    await using hub = await closing(startHub('org/tiny', Object.fromEntries(files)));
    const { url } = hub.value;
    hub.value.mischief.token = 'hf_secret';
    const options = { runtime: model.runtime, endpoint: url };
    await expect(web.openModel('org/tiny', options)).rejects.toThrow(espalier.NetworkError);
    using open = await web.openModel('org/tiny@main', { ...options, token: 'hf_secret' });
    const [there, here] = [await web.evaluate(open, { windows }), await web.evaluate(model, { windows })];
    expect(there.perplexity).toBe(here.perplexity);
  });
});
