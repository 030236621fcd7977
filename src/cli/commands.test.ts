import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeScores } from '../importance/files/score-file.ts';
import { METRICS } from '../importance/sums/scores.ts';
import { parsePlan } from '../plan/plan-file.ts';
import { espalier, oneDocument, resultOf, runInside } from './testing/run.ts';
import { TINY, tinyText, writeTinyModel } from './testing/tiny-model.ts';

/** docs/architecture.md section 7.1, command by command on a small model, some of them as processes of their own: what a script that calls Espalier relies on. */
let folder: string;
let model: string;
let text: string;
let calibration: readonly string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-commands-'));
  model = await writeTinyModel(join(folder, 'tiny'));
  text = join(folder, 'text.txt');
  await writeFile(text, tinyText(600));
  calibration = ['--calibration', text, '--windows', '6', '--length', '16', '--seed', '3', '--threads', '1'];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const inFolder = (name: string) => join(folder, name);
const prunable = TINY.layers * (2 * TINY.headDimension * TINY.hiddenSize * 6 + TINY.neurons * 3 * TINY.hiddenSize);
const parameters = prunable + TINY.vocabulary * TINY.hiddenSize + (2 * TINY.layers + 1) * TINY.hiddenSize;

describe('commands', () => {
  it('inspect tells what the model is and what can be removed', async () => {
    const found = await resultOf(['inspect', model], espalier);
    expect(found).toMatchObject({
      architecture: 'llama',
      parameters,
      blockParameters: prunable + 2 * TINY.layers * TINY.hiddenSize,
      vocabulary: 32,
    });
    const layer = {
      attention: { groups: 2, parametersPerGroup: TINY.headDimension * TINY.hiddenSize * 6 },
      mlp: { groups: TINY.neurons, parametersPerGroup: 3 * TINY.hiddenSize },
    };
    expect(found.layers).toEqual([layer, layer]);
    expect(found.bytes).toBeGreaterThan(4 * parameters);
    expect((found.structures as { members: string[] }[]).map(({ members }) => members)).toEqual([
      [
        'attention.query: 16 rows (rows 0 to 15 in group 0, rows 16 to 31 in group 1)',
        'attention.key: 8 rows (rows 0 to 7 in group 0, rows 8 to 15 in group 1)',
        'attention.value: 8 rows (rows 0 to 7 in group 0, rows 8 to 15 in group 1)',
        'attention.output: 16 columns (columns 0 to 15 in group 0, columns 16 to 31 in group 1)',
      ],
      [
        'mlp.gate: 1 row (row 0 in group 0, row 23 in group 23)',
        'mlp.up: 1 row (row 0 in group 0, row 23 in group 23)',
        'mlp.down: 1 column (column 0 in group 0, column 23 in group 23)',
      ],
    ]);
  });

  it('prunes and verifies on WebAssembly, and opens what it wrote there as on the CPU', async () => {
    const output = inFolder('pruned-on-wasm');
    await resultOf(['prune', model, ...calibration, '--ratio', '0.3', '--backend', 'wasm', '--output', output]);
    const generate = (backend: string) =>
      resultOf([
        'generate',
        output,
        '--prompt',
        'a b',
        '--max-new-tokens',
        '6',
        '--threads',
        '1',
        '--backend',
        backend,
      ]);
    const onWasm = await generate('wasm');
    expect(onWasm.text).toEqual(expect.any(String));
    expect(onWasm.text).toBe((await generate('cpu')).text);
  });

  it('rounds q4 by GPTQ where there is calibration text, and otherwise where that is asked for', async () => {
    const record = async (name: string, ...more: string[]) => {
      const output = inFolder(name);
      await resultOf(['prune', model, ...calibration, '--ratio', '0.3', '--output', output, ...more]);
      return JSON.parse(await readFile(join(output, 'espalier.json'), 'utf8')) as {
        rounding?: string;
        files: { name: string; sha256: string }[];
      };
    };
    const hashOf = ({ files }: Awaited<ReturnType<typeof record>>) =>
      files.find(({ name }) => name === 'onnx/model_q4.onnx_data')?.sha256;
    const gptq = await record('gptq', '--dtype', 'q4');
    const nearest = await record('nearest', '--dtype', 'q4', '--rounding', 'nearest');
    const weighted = await record('weighted', '--dtype', 'q4', '--rounding', 'weighted');
    expect([gptq.rounding, weighted.rounding, nearest.rounding]).toEqual(['gptq', 'weighted', undefined]);
    expect(hashOf(gptq)).toEqual(expect.any(String));
    expect(new Set([gptq, weighted, nearest].map(hashOf)).size).toBe(3);
    expect((await record('not-rounded')).rounding).toBeUndefined();
  });

  it('evaluate, score and compare tell that windows of a Gemma model begin without its first token', async () => {
    const gemma = await writeTinyModel(join(folder, 'gemma'));
    const fixtures = join(import.meta.dirname, '../architecture/fixtures/gemma3');
    for (const name of ['config.json', 'model.safetensors'])
      await writeFile(join(gemma, name), await readFile(join(fixtures, name)));
    const said = async (model: string) =>
      (await runInside(['evaluate', model, '--text', text, '--window', '16'])).stderr;
    expect(await said(gemma)).toMatch(/37 of 37 windows do not begin with the token 1 \(BOS\).*--token-ids/);
    expect(await said(model)).not.toContain('BOS');
    const scoring = await runInside(['score', gemma, ...calibration, '--output', inFolder('gemma.safetensors')]);
    expect(scoring.stderr).toMatch(/6 of 6 windows do not begin with the token 1 \(BOS\)/);
    const methods = ['--methods', 'magnitude-l2', '--ratios', '0.3', '--text', text, '--window', '16'];
    const compared = await runInside(['compare', gemma, ...calibration, ...methods]);
    expect(compared.stderr).toMatch(/text\.txt: 37 of 37 windows do not begin with the token 1 \(BOS\)/);
  });

  it('generate --chat --tools puts the functions into the chat template', async () => {
    const model = await writeTinyModel(join(folder, 'wörk 100% #1', 'with tools'));
    const template = '{% for tool in tools or [] %}{{ tool.function.name }} {% endfor %}{{ messages[0].content }}';
    await writeFile(join(model, 'chat_template.jinja'), template);
    const tools = join(folder, 'tools.json');
    await writeFile(tools, JSON.stringify([{ type: 'function', function: { name: 'weather', parameters: {} } }]));
    const generate = ['generate', model, '--prompt', 'hi', '--max-new-tokens', '2'];
    expect((await resultOf([...generate, '--chat'])).promptTokens).toBe('hi'.length);
    expect((await resultOf([...generate, '--chat', '--tools', tools])).promptTokens).toBe('weather hi'.length);
    // As Python's JSON keeps them: 1.0 and 1e5 are floats, 1 is none.
    await writeFile(tools, '[{"function": {"name": [1.0, 1e5, 1, 0.5, "1.0"]}}]');
    expect((await resultOf([...generate, '--chat', '--tools', tools])).promptTokens).toBe(
      "[1.0, 100000.0, 1, 0.5, '1.0'] hi".length,
    );
    const refused = async (args: readonly string[]) => (await runInside([...generate, ...args])).stderr;
    expect(await refused(['--tools', tools])).toContain('give --chat as well');
    await writeFile(tools, '{}');
    expect(await refused(['--chat', '--tools', tools])).toContain('tools.json is no list of functions');
  });

  it('score, plan and prune hand their files on to each other; evaluate and generate read what prune wrote', async () => {
    const scores = inFolder('scores.safetensors');
    const scored = await espalier(['score', model, ...calibration, '--output', scores, '--json']);
    expect(scored.code, scored.stderr).toBe(0);
    const document = oneDocument(scored.stdout);
    expect(document).toMatchObject({ tokens: 6 * 15, metrics: METRICS });
    for (const key of ['loss', 'seconds', 'forwardSeconds', 'peakBytes']) expect(document[key], key).toBeGreaterThan(0);
    expect(scored.stderr).toMatch(/^scoring \d+\/\d+ passes \(\d+%/);
    expect(scored.stderr).toMatch(/scoring (\d+)\/\1 passes \(100%\)\n$/);
    const file = await decodeScores(new Uint8Array(await readFile(scores)));
    expect(file.calibration).toMatchObject({
      source: 'text.txt',
      windows: 6,
      length: 16,
      seed: 3,
      loss: document.loss,
    });
    expect(Object.keys(file.layers[1]?.mlp ?? {}).sort()).toEqual([...METRICS].sort());

    const planFile = inFolder('plan.json');
    const planned = await resultOf(['plan', scores, '--ratio', '0.3', '--output', planFile]);
    const plan = parsePlan(JSON.parse(await readFile(planFile, 'utf8')));
    expect(planned).toMatchObject({
      ratio: plan.ratio,
      parametersBefore: parameters,
      parametersAfter: plan.parametersAfter,
      layers: plan.layers,
    });
    expect(planned.milliseconds).toBeGreaterThanOrEqual(0);
    expect(Math.abs(plan.ratio - 0.3) * prunable).toBeLessThan(TINY.headDimension * TINY.hiddenSize * 6);

    const pruned = inFolder('pruned');
    const result = await resultOf(['prune', model, '--plan', planFile, '--threads', '1', '--output', pruned], espalier);
    expect(result).toMatchObject({ parametersBefore: parameters, parametersAfter: plan.parametersAfter });
    expect(result.bytes).toBeGreaterThan(4 * plan.parametersAfter);
    const { verification } = result as {
      verification: { maxAbsoluteDifference: number; top1Agreement: number; positions: number };
    };
    expect(verification.positions).toBeGreaterThanOrEqual(256);
    expect(verification.maxAbsoluteDifference).toBeLessThan(1e-3);
    expect(verification.top1Agreement).toBe(1);
    const names = [
      'README.md',
      'config.json',
      'espalier.json',
      'genai_config.json',
      'generation_config.json',
      'onnx',
      'tokenizer.json',
      'tokenizer_config.json',
    ];
    expect((await readdir(pruned)).sort()).toEqual(names);
    expect((await readdir(join(pruned, 'onnx'))).sort()).toEqual(['genai.onnx', 'model.onnx', 'model.onnx_data']);
    const config = JSON.parse(await readFile(join(pruned, 'config.json'), 'utf8')) as { espalier: unknown };
    expect(config.espalier).toEqual({
      layers: plan.layers.map(({ attention, mlp }) => ({ keyValueHeads: attention.length, neurons: mlp.length })),
    });

    const ofText = (subject: string) =>
      resultOf(['evaluate', subject, '--text', text, '--window', '20', '--max-tokens', '400']);
    const [dense, small] = [await ofText(model), await ofText(pruned)];
    for (const measured of [dense, small]) {
      expect(measured).toMatchObject({ tokens: 20 * 19, window: 20 });
      expect(measured.perplexity).toBeGreaterThan(1);
      expect(measured.standardError).toBeGreaterThan(0);
      // Predictions of one token each stand for a byte at least.
      const bitsPerToken = (measured.loss as number) / Math.LN2;
      expect(measured.bitsPerByte).toBeGreaterThan(0);
      expect(measured.bitsPerByte).toBeLessThanOrEqual(bitsPerToken * (1 + 1e-12));
    }
    expect(small.perplexity).not.toBe(dense.perplexity);

    const generated = await resultOf(['generate', pruned, '--prompt', 'once upon', '--max-new-tokens', '5']);
    expect(generated.tokenIds).toHaveLength(5);
    expect(typeof generated.text).toBe('string');
    for (const key of ['timeToFirstToken', 'prefillTokensPerSecond', 'decodeTokensPerSecond'])
      expect(generated[key], key).toBeGreaterThan(0);
    expect((await readdir(folder)).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('prune writes every format with a smaller vocabulary, and says what each is and what it cost', async () => {
    const output = inFolder('everywhere');
    const how = ['--ratio', '0.2', '--format', 'gguf,onnx,safetensors', '--gguf-type', 'F32', '--vocabulary', '32'];
    const result = await resultOf(['prune', model, ...how, '--shape', 'uniform', ...calibration, '--output', output]);
    const { tokensBefore, tokensAfter } = result.vocabulary as { tokensBefore: number; tokensAfter: number };
    expect([tokensBefore, tokensAfter]).toEqual([32, 32]);
    const formats = result.formats as {
      format: string;
      file: string;
      verification: { maxAbsoluteDifference: number };
    }[];
    expect(formats.map(({ format }) => format)).toEqual(['onnx', 'safetensors', 'gguf']);
    for (const { file, verification } of formats) {
      expect(verification.maxAbsoluteDifference).toBeLessThan(1e-3);
      expect(result.files).toContainEqual({ name: file, bytes: expect.any(Number) });
      expect((await readFile(join(output, file))).length).toBeGreaterThan(0);
    }
    const { code, stderr } = await runInside([
      'prune',
      model,
      '--ratio',
      '0.2',
      '--vocabulary',
      'few',
      '--output',
      output,
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain('--vocabulary is "few"; it must be a number of tokens such as "16384"');
  });

  it('prune scores by itself, compensates, and writes smaller number formats under the names that transformers.js looks for', async () => {
    const output = inFolder('quantised');
    const how = ['--ratio', '0.2', '--compensate', 'least-squares', '--compensation-windows', '30', '--dtype', 'q8'];
    const result = await resultOf(['prune', model, ...how, ...calibration, '--output', output]);
    expect(result.parametersAfter).toBeLessThan(parameters);
    expect((await readdir(join(output, 'onnx'))).sort()).toEqual([
      'genai.onnx',
      'model_quantized.onnx',
      'model_quantized.onnx_data',
    ]);
    const record = JSON.parse(await readFile(join(output, 'espalier.json'), 'utf8')) as { recipe: unknown };
    expect(record.recipe).toMatchObject({
      compensate: 'least-squares',
      dtype: 'q8',
      target: { kind: 'ratio', value: 0.2 },
      search: 'tempered',
    });
  });

  it('score and evaluate take windows of token ids as they are', async () => {
    const ids = inFolder('ids.json');
    await writeFile(
      ids,
      JSON.stringify([3, 7].map((first) => Array.from({ length: 11 }, (_, i) => (first + 5 * i) % 32))),
    );
    const output = inFolder('ids.safetensors');
    const scored = await resultOf([
      'score',
      model,
      '--token-ids',
      ids,
      '--metrics',
      'fisher,vector',
      '--output',
      output,
    ]);
    expect(scored).toMatchObject({ tokens: 20, metrics: ['fisher', 'vector'] });
    const measured = await resultOf(['evaluate', model, '--token-ids', ids]);
    expect(measured).toMatchObject({ tokens: 20, window: 11 });
    expect(measured.loss).toBeCloseTo(scored.loss as number, 5);
  });

  it('compare puts methods side by side, and goes on from the file of an interrupted run', async () => {
    const output = inFolder('compared.json');
    const args = [
      'compare',
      model,
      '--ratios',
      '0.3',
      '--text',
      text,
      '--window',
      '16',
      '--max-tokens',
      '160',
      ...calibration,
      '--output',
      output,
    ];
    const first = await resultOf([...args, '--methods', 'saap,magnitude-l2']);
    const again = await runInside([
      ...args,
      '--methods',
      'saap,magnitude-l2,flap+bias',
      '--compensation-windows',
      '6',
      '--json',
    ]);
    expect(again.code, again.stderr).toBe(1);
    expect(again.stderr).toContain('another model, calibration, text, tasks, training or version');
    const more = await resultOf([...args, '--methods', 'saap,magnitude-l2,random']);
    const rows = more.rows as {
      method: string;
      ratio: number;
      parameters: number;
      perplexity: number;
      seconds: number;
    }[];
    expect(rows.map(({ method, ratio }) => [method, ratio])).toEqual([
      ['dense', 0],
      ['saap', 0.3],
      ['magnitude-l2', 0.3],
      ['random', 0.3],
    ]);
    expect(rows.slice(0, 3)).toEqual(first.rows);
    expect(rows[0]?.parameters).toBe(parameters);
    for (const row of rows) expect(row.perplexity).toBeGreaterThan(1);
    expect(await readFile(inFolder('compared.md'), 'utf8')).toContain('magnitude-l2');

    const trained = [...args, '--methods', 'saap+lora', '--steps', '2', '--batch-windows', '2'];
    expect((await runInside(trained)).stderr).toContain(
      'saap+lora is trained after pruning; give what to learn by --data FILE.',
    );
    const learnt = (await resultOf([...trained, '--data', text, '--train-windows', '8'])).rows as {
      method: string;
      recovery?: { steps: number };
    }[];
    expect(learnt.map(({ method, recovery }) => [method, recovery?.steps])).toEqual([
      ['dense', undefined],
      ['saap+lora', 2],
    ]);
    const other = await runInside([...trained, '--data', text, '--train-windows', '9']);
    expect(other.stderr).toContain('another model, calibration, text, tasks, training or version');
  });

  it('studio says where it is, serves the page, and ends with Ctrl-C', async () => {
    let page: Promise<string> | undefined;
    const run = await espalier(['studio', '--port', '0', '--json'], {
      onOutput: ({ stdout }, interrupt) => {
        if (!stdout.endsWith('\n') || page) return;
        page = fetch(oneDocument(stdout).url as string).then((response) => response.text());
        page.finally(interrupt).catch(() => undefined);
      },
    });
    expect(run.code, run.stderr).toBe(130);
    expect(await page).toContain('<!doctype html>');
  });

  it('print for people without --json, nothing but results with --quiet', async () => {
    const run = await runInside(['score', model, ...calibration, '--quiet', '--output', inFolder('quiet.safetensors')]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toMatch(/^Scored .*loss \d\.\d+ nats/);
  });

  it('explain themselves, and exit with 2 for a usage that there is not', async () => {
    const help = await runInside(['--help']);
    expect(help.code).toBe(0);
    for (const command of ['inspect', 'score', 'plan', 'prune', 'evaluate', 'generate', 'compare', 'studio'])
      expect(help.stdout).toContain(command);
    const unknown = await espalier(['polish', model]);
    expect(unknown).toMatchObject({ code: 2, stdout: '' });
    expect(unknown.stderr).toContain('polish');
  });
});
