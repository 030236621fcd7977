import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UnsupportedError } from '../errors.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import { exportPruned } from '../library/export.ts';
import type { OpenModel } from '../library/open-model.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { memoryFolder } from './memory-folder.ts';
import { FAMILIES, SHAPES, takeAwayCase } from './testing/take-away-cases.ts';

/**
 * What transformers, llama.cpp and ONNX Runtime GenAI made of the very files that are written here (scripts/fixtures/take_away.sh, which sets TAKE_AWAY_FOLDER to have them on disk).
 * A safetensors or GGUF file whose bytes changed has to be run there again; of ONNX the tokens alone are kept.
 */
interface Elsewhere {
  readonly [name: string]: {
    readonly files: Readonly<Record<string, string>>;
    /** Mean cross-entropy in nats of `WINDOWS` by transformers in float64. */
    readonly transformersLoss: number;
    /** Greedy tokens after `PROMPT` by llama.cpp, of F32; null where it has no home. */
    readonly llamaTokens: readonly number[] | null;
    /** The same by ONNX Runtime GenAI, which stops at the end of a text. */
    readonly genaiTokens: readonly number[];
  };
}

const FIXTURE = join(import.meta.dirname, 'fixtures/take-away.json');
const FOLDER = process.env.TAKE_AWAY_FOLDER;
const WINDOWS = [
  [3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 3, 23, 8, 46, 26],
  [2, 7, 18, 28, 18, 28, 45, 9, 4, 5, 23, 5, 36, 2, 8, 7],
];
const PROMPT = [7, 22, 40, 13];
const GREEDY = 16;
/** `eos_token_id` of the fixtures. */
const END = 2;
const HOMELESS = ['gemma3-free', 'phi3-free'];

let runtime: Runtime;
let elsewhere: Elsewhere;
beforeAll(async () => {
  runtime = await createNodeRuntime({});
  elsewhere = JSON.parse(await readFile(FIXTURE, 'utf8').catch(() => '{}')) as Elsewhere;
});
afterAll(() => runtime.dispose());

const cases = FAMILIES.flatMap((family) => SHAPES.map((shape) => ({ family, shape, name: `${family}-${shape}` })));

describe.each(cases)('$name', ({ family, shape, name }) => {
  const isHomeless = HOMELESS.includes(name);

  test('is the same model in ONNX, safetensors and GGUF, as GenAI, transformers and llama.cpp computed it', async () => {
    using model = await takeAwayCase(runtime, family, shape);
    const output = memoryFolder();
    const { files, formats } = await exportPruned(model, {
      output,
      formats: isHomeless ? ['onnx', 'safetensors'] : ['onnx', 'safetensors', 'gguf'],
      ggufType: 'F32',
    });
    for (const { verification } of formats) expect(verification.maxAbsoluteDifference).toBeLessThan(1e-5);
    const found = await measure(model);
    if (FOLDER) await keep(FOLDER, name, output.files, found);
    const known = elsewhere[name];
    const digests = Object.fromEntries(
      files
        .filter(({ name: file }) => /\.(safetensors|gguf|py)$|^config\.json$/.test(file))
        .map((file) => [file.name, file.sha256]),
    );
    expect(known?.files).toEqual(digests);
    expect(Math.abs((known?.transformersLoss ?? 0) - found.loss)).toBeLessThan(1e-5);
    expect(known?.llamaTokens).toEqual(isHomeless ? null : found.tokens);
    const end = found.tokens.indexOf(END);
    expect(known?.genaiTokens).toEqual(end < 0 ? found.tokens : found.tokens.slice(0, end));
  });

  if (isHomeless)
    test('has no home in llama.cpp, and the sentence says which shape would have', async () => {
      using model = await takeAwayCase(runtime, family, shape);
      const output = memoryFolder();
      const written = exportPruned(model, { output, formats: ['gguf'] });
      await expect(written).rejects.toThrow(UnsupportedError);
      await expect(written).rejects.toThrow('The shape "uniform"');
      expect(output.files.size).toBe(0);
    });
});

test('a width that blocks of Q4_0 cannot hold is refused with what would fit, and nothing is written', async () => {
  using model = await takeAwayCase(runtime, 'llama', 'uniform');
  const output = memoryFolder();
  const written = exportPruned(model, { output, formats: ['onnx', 'gguf'], ggufType: 'Q4_0' });
  await expect(written).rejects.toThrow(UnsupportedError);
  await expect(written).rejects.toThrow(/has rows of \d+ values, and a block of Q(4|8)_0 holds 32\. Prune to widths/);
  expect(output.files.size).toBe(0);
});

async function measure(model: OpenModel) {
  const { loss } = await perplexity(model.programs, model.store, WINDOWS);
  using decoder = await decoderForModel(runtime, model.model, {});
  using sequence = decoder.start(PROMPT.length + GREEDY);
  let logits = await sequence.append(PROMPT);
  const tokens: number[] = [];
  for (let step = 0; step < GREEDY; step++) {
    const best = logits.reduce((found, value, id) => (value > (logits[found] ?? 0) ? id : found), 0);
    tokens.push(best);
    logits = await sequence.append([best]);
  }
  return { loss, tokens };
}

async function keep(
  folder: string,
  name: string,
  files: ReadonlyMap<string, Blob>,
  found: { readonly loss: number; readonly tokens: readonly number[] },
): Promise<void> {
  for (const [file, blob] of files) {
    const path = join(folder, name, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, new Uint8Array(await blob.arrayBuffer()));
  }
  await writeFile(join(folder, name, 'ours.json'), JSON.stringify({ ...found, windows: WINDOWS, prompt: PROMPT }));
}
