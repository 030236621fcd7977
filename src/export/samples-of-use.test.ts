import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openNamed } from '../checkpoint/local.ts';
import { EXPORT_FORMATS } from '../decoder/dtypes.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import { decodeScores } from '../importance/files/score-file.ts';
import { exportPruned } from '../library/export.ts';
import { generate } from '../library/generate.ts';
import { OpenModel } from '../library/open-model.ts';
import { planFor } from '../library/plan.ts';
import type { Plan } from '../plan/plan.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { memoryFolder } from './memory-folder.ts';
import { GENAI, type SampleOfUse, samplesOfUse } from './samples-of-use.ts';
import type { TakeAwayFormat } from './take-away.ts';

/**
 * What the samples of a model card print, each run by its own program on the very files that are written here (scripts/fixtures/samples.sh, which sets SAMPLES_FOLDER to have them on disk).
 * A sample or weights that changed have to be run there again. Those in JavaScript without further packages are run here too.
 */
interface Ran {
  readonly files: Readonly<Record<string, string>>;
  readonly samples: readonly (SampleOfUse & { readonly output: string })[];
}

const FIXTURE = join(import.meta.dirname, 'fixtures/samples.json');
const PROMPT = 'Once upon a time';

let folder: string;
let samples: SampleOfUse[];
let digests: Record<string, string>;
let ours: { readonly text: string; readonly next: number };
let ran: Ran | undefined;

/** The rule by which GPT-2 cuts words, which all programs know: that of `stories` is not among those that ONNX Runtime GenAI reads, and has a sample of its own. Of the prompt both make the same. */
function withUsualWords(bytes: Uint8Array | undefined): Uint8Array {
  const tokenizer = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  const words = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return new TextEncoder().encode(JSON.stringify({ ...tokenizer, pre_tokenizer: words }));
}

/** Writes a pruned model into a folder on disk. */
async function written(pruned: OpenModel, plan: Plan, place: string, formats: readonly TakeAwayFormat[]) {
  const output = memoryFolder();
  const result = await exportPruned(pruned, { output, plan, formats, dtype: 'f32', ggufType: 'F32' });
  for (const [name, blob] of output.files) {
    await mkdir(dirname(join(place, name)), { recursive: true });
    await writeFile(join(place, name), new Uint8Array(await blob.arrayBuffer()));
  }
  return result;
}

beforeAll(async () => {
  const kept = process.env.SAMPLES_FOLDER;
  folder = kept ?? (await mkdtemp(join(tmpdir(), 'espalier-samples-')));
  ran = JSON.parse(await readFile(FIXTURE, 'utf8').catch(() => 'null')) ?? undefined;
  using runtime = await createNodeRuntime({});
  const stories = await openNamed('stories');
  using open = new OpenModel(runtime, {
    ...stories,
    file: async (name) => (name === 'tokenizer.json' ? withUsualWords(await stories.file(name)) : stories.file(name)),
  });
  const scores = await decodeScores(new Uint8Array(await readFile('public/models/stories/scores.safetensors')));
  const plan = planFor(open, scores, { target: { kind: 'ratio', value: 0.2 }, shape: 'uniform' });
  using pruned = open.pruned(plan.layers);
  const { files, formats } = await written(pruned, plan, folder, ['onnx', 'safetensors', 'gguf']);
  using whole = new OpenModel(runtime, stories);
  using same = whole.pruned(plan.layers);
  const own = await written(same, plan, join(folder, 'own'), ['onnx']);
  samples = [
    ...samplesOfUse(formats, EXPORT_FORMATS.f32),
    ...samplesOfUse(own.formats, EXPORT_FORMATS.f32)
      .filter(({ title }) => title === GENAI)
      .map((sample) => ({ ...sample, code: sample.code.replaceAll('FOLDER', 'FOLDER/own') })),
  ];
  digests = Object.fromEntries(
    files.filter(({ name }) => /\.(safetensors|onnx_data|gguf)$/.test(name)).map((file) => [file.name, file.sha256]),
  );
  using decoder = await decoderForModel(runtime, pruned.model);
  const tokenizer = () => pruned.tokenizer();
  const opened = { decoder, tokenizer, maximumPositions: pruned.maximumPositions };
  const { text } = await generate(opened, { prompt: PROMPT, maxNewTokens: 64, temperature: 0 });
  using sequence = decoder.start(3);
  const logits = await sequence.append([1, 2, 3]);
  ours = { text, next: logits.indexOf(logits.reduce((best, value) => Math.max(best, value))) };
  if (kept) await writeFile(join(folder, 'samples.json'), JSON.stringify({ files: digests, samples }));
});
afterAll(async () => {
  if (process.env.SAMPLES_FOLDER === undefined) await rm(folder, { recursive: true, force: true });
});

test('every sample of a model card was run on these files', () => {
  expect(samples.map(({ title }) => title)).toHaveLength(6);
  expect(ran?.files).toEqual(digests);
  expect(ran?.samples.map(({ code }) => code)).toEqual(samples.map(({ code }) => code));
});

test('every sample goes on as the model does here', () => {
  expect(ours.text.length).toBeGreaterThan(100);
  for (const { title, output } of ran?.samples ?? []) {
    if (title === 'ONNX Runtime in Python') expect(output.trim(), title).toBe(`[[${ours.next}]]`);
    // llama.cpp's prints what goes on, others the prompt as well. Programs end at the end of a text, or after so many tokens of prompt and text together.
    else expect(output.slice(0, 3 * PROMPT.length + 100), title).toContain(ours.text.trim().slice(0, 100));
  }
  expect(ran?.samples).toHaveLength(6);
});

test('the sample in JavaScript runs as it is', async () => {
  const sample = samples.find(({ title }) => title === 'transformers.js');
  const code = sample?.code.replaceAll('FOLDER', folder) ?? '';
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code]);
  expect(stdout).toContain(PROMPT + ours.text.slice(0, 100));
});
