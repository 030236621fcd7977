import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXPORT_FORMATS } from '../../src/decoder/dtypes.ts';
import { exampleFolder, programsOf, runPrograms } from './programs.mjs';
import { EXPORT, pythonWith, runPython } from './python.mjs';

const PAGE = readFileSync(fileURLToPath(new URL('../../docs/onnx.md', import.meta.url)), 'utf8');

describe('docs/onnx.md', () => {
  /** @type {Awaited<ReturnType<typeof exampleFolder>>} */
  let example;
  /** What Espalier, the plain runtime and transformers.js print. @type {string[]} */
  let printed = [];
  beforeAll(async () => {
    example = await exampleFolder();
    const programs = programsOf('docs/onnx.md', ['js']);
    expect(programs).toHaveLength(2);
    const tokens = `import { openExported } from 'espalier';
const model = await openExported('stories-20');
console.log(JSON.stringify((await model.tokenizer()).encode('Once upon a time')));
model[Symbol.dispose]();`;
    const first = await runPrograms(example.folder, [EXPORT, { heading: 'tokens', language: 'js', text: tokens }]);
    expect(first.code, first.stderr).toBe(0);
    const prompt = JSON.parse(first.printed[1] ?? '');
    const [plain, transformers] = programs.map((program) => ({
      ...program,
      text: program.text.replace('[4, 7, 19]', JSON.stringify(prompt)).replace('slice(3)', `slice(${prompt.length})`),
    }));
    const run = await runPrograms(
      example.folder,
      [plain, transformers].filter((program) => program !== undefined),
    );
    expect(run.code, run.stderr).toBe(0);
    printed = [first.printed[0] ?? '', ...run.printed];
  }, 240_000);
  afterAll(() => example.remove());

  test('the programs in JavaScript continue as Espalier does', () => {
    const [espalier = '', plain = '', transformers] = printed;
    expect(transformers).toBe(espalier);
    expect(espalier.length).toBeGreaterThan('Once upon a time'.length + 10);
    expect(JSON.parse(plain)).toHaveLength(8);
  });

  test('the program in Python does too, where there is one to run it', () => {
    const python = pythonWith(['onnxruntime', 'tokenizers', 'numpy']);
    const [program] = programsOf('docs/onnx.md', ['python']);
    if (!python) {
      process.stderr.write('docs/onnx.md: the Python program was not run; no Python with onnxruntime was found.\n');
      expect(program?.text).toContain('ort.InferenceSession');
      return;
    }
    const { stdout, stderr } = runPython(python, example.folder, program?.text ?? '');
    expect(stdout.trim(), stderr).toBe(printed[0]?.trim());
  });

  test('names the files of every format', () => {
    for (const [dtype, { file }] of Object.entries(EXPORT_FORMATS)) {
      expect(PAGE).toContain(`| \`${dtype}\` | \`onnx/${file}\` |`);
    }
    expect(readdirSync(join(example.folder, 'stories-20/onnx')).sort()).toEqual([
      'genai.onnx',
      'model.onnx',
      'model.onnx_data',
    ]);
  });
});
