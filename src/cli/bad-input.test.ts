import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oneDocument, runInside } from './testing/run.ts';
import { tinyText, writeTinyModel } from './testing/tiny-model.ts';

/** What people get wrong. Each case: the command (`@name` is a path in the folder), the exit code, and what the sentence must say: thing, value, remedy. */
const CASES: readonly {
  readonly wrong: string;
  readonly args: string;
  readonly code: 1 | 2;
  readonly says: readonly string[];
}[] = [
  {
    wrong: 'a model that is not there',
    args: 'inspect @nothing',
    code: 1,
    says: ['There is no model', 'nothing', 'Give a Hugging Face folder'],
  },
  {
    wrong: 'a folder without weights',
    args: 'inspect @empty',
    code: 1,
    says: ['empty has no model weights', 'config.json'],
  },
  { wrong: 'a folder without config.json', args: 'inspect @no-config', code: 1, says: ['has no config.json', 'Put'] },
  {
    wrong: 'a truncated weight file',
    args: 'inspect @truncated',
    code: 1,
    says: ['model.safetensors', 'bytes', 'Fetch'],
  },
  {
    wrong: 'a missing tensor',
    args: 'inspect @missing',
    code: 1,
    says: ['no tensor model.layers.1.mlp.up_proj.weight', 'incomplete or of another architecture'],
  },
  {
    wrong: 'a tensor of the wrong shape',
    args: 'inspect @reshaped',
    code: 1,
    says: ['q_proj.weight has shape [5, 32]', 'config.json asks for [32, 32]'],
  },
  ...[
    'evaluate @nan --text @text.txt --json',
    'score @nan --calibration @text.txt --output @out',
    'generate @nan --prompt a',
    'prune @nan --ratio 0.3 --calibration @text.txt --output @out',
  ].map((args) => ({
    wrong: `a weight that is no number: ${args}`,
    args,
    code: 1 as const,
    says: ['nan: the tensor "model.layers.1.mlp.up_proj.weight" is NaN at row 3, column 4', 'Take another copy'],
  })),
  {
    wrong: 'a bias of another layer norm',
    args: 'evaluate @left-over --text @text.txt',
    code: 1,
    says: ['left-over has 1 tensor that the architecture llama does not read: model.norm.bias', '--ignore-tensors'],
  },
  {
    wrong: 'an unsupported architecture',
    args: 'inspect @bert',
    code: 1,
    says: ['the architecture "bert" is not supported', 'supported are: llama'],
  },
  {
    wrong: 'an unsupported rope scaling',
    args: 'inspect @mrope',
    code: 1,
    says: ['rope_scaling', '"mrope"', 'supported are', 'Choose a model without it'],
  },
  {
    wrong: 'no tokenizer',
    args: 'score @no-tokenizer --calibration @text.txt --output @out',
    code: 1,
    says: ['no-tokenizer', 'tokenizer.json'],
  },
  {
    wrong: 'no calibration text',
    args: 'score @model --output @out',
    code: 2,
    says: ['needs calibration text', '--calibration FILE'],
  },
  {
    wrong: 'a calibration file that is not there',
    args: 'score @model --calibration @gone.txt --output @out',
    code: 1,
    says: ['There is no file', 'gone.txt'],
  },
  {
    wrong: 'a calibration file of another kind',
    args: 'score @model --calibration @book.pdf --output @out',
    code: 2,
    says: ['book.pdf', '.txt, .raw, .md'],
  },
  {
    wrong: 'an empty text',
    args: 'score @model --calibration @empty.txt --output @out',
    code: 2,
    says: ['There is no text in empty.txt'],
  },
  {
    wrong: 'a text shorter than a window',
    args: 'score @model --calibration @text.txt --length 601 --output @new/folder/out',
    code: 2,
    says: ['The text has 600 tokens, shorter than one window of 601', 'Give a longer text or a shorter window'],
  },
  {
    wrong: 'more windows than the text has',
    args: 'score @model --calibration @text.txt --windows 38 --length 16 --output @out',
    code: 2,
    says: ['38 windows of 16 tokens', 'enough for 37', 'fewer windows'],
  },
  {
    wrong: 'a window longer than the model holds',
    args: 'score @model --calibration @text.txt --length 200 --output @out',
    code: 2,
    says: ['A window of 200 tokens', 'the model holds 128'],
  },
  {
    wrong: 'token ids that the model does not have',
    args: 'score @model --token-ids @ids.json --output @out',
    code: 1,
    says: ['has 32 at place 1', '0 to 31'],
  },
  {
    wrong: 'an unknown metric',
    args: 'score @model --calibration @text.txt --metrics beauty --output @out',
    code: 2,
    says: ['"beauty" is not a metric', 'fisher'],
  },
  {
    wrong: 'a window of no tokens',
    args: 'evaluate @model --text @text.txt --window 1',
    code: 2,
    says: ['--window is "1"', 'at least 2'],
  },
  { wrong: 'nothing to evaluate on', args: 'evaluate @model', code: 2, says: ['--text FILE'] },
  {
    wrong: 'a graphics adapter for the processor',
    args: 'inspect @model --adapter card',
    code: 2,
    says: ['--adapter is for graphics adapters', '--backend webgpu'],
  },
  {
    wrong: 'an unknown backend',
    args: 'inspect @model --backend abacus',
    code: 2,
    says: ['"abacus"', 'cpu, wasm, webgpu, auto'],
  },
  {
    wrong: 'a ratio of 1',
    args: 'plan @scores.safetensors --ratio 1 --output @out',
    code: 2,
    says: ['--ratio is "1"', 'between 0 and 1'],
  },
  {
    wrong: 'a ratio that is no number',
    args: 'prune @model --ratio half --output @out',
    code: 2,
    says: ['--ratio is "half"', 'for example 0.2'],
  },
  {
    wrong: 'a ratio out of reach',
    args: 'plan @scores.safetensors --ratio 0.95 --metric fisher --output @out',
    code: 2,
    says: ['95.0%', 'can go', 'Ask for less'],
  },
  {
    wrong: 'a target above what there is',
    args: 'plan @scores.safetensors --parameters 1000000 --output @out',
    code: 2,
    says: ['1000000', 'more than'],
  },
  {
    wrong: 'no target',
    args: 'plan @scores.safetensors --output @out',
    code: 2,
    says: ['Give one target', 'found none'],
  },
  {
    wrong: 'two targets',
    args: 'plan @scores.safetensors --ratio 0.2 --bytes 9 --output @out',
    code: 2,
    says: ['found --ratio and --bytes'],
  },
  {
    wrong: 'an unknown search',
    args: 'plan @scores.safetensors --ratio 0.2 --search deep --output @out',
    code: 2,
    says: ['"deep" is no search', 'tempered'],
  },
  {
    wrong: 'a metric that was not scored',
    args: 'plan @scores.safetensors --ratio 0.2 --metric element-first --output @out',
    code: 1,
    says: ['no "element-first"', 'they have vector, fisher', 'Score again'],
  },
  {
    wrong: 'a layer that is not there',
    args: 'plan @scores.safetensors --ratio 0.2 --protect 2 --output @out',
    code: 2,
    says: ['Layer 2', '0 to 1'],
  },
  {
    wrong: 'scores that are not there',
    args: 'plan @none.safetensors --ratio 0.2 --output @out',
    code: 1,
    says: ['There is no score file', 'espalier score'],
  },
  {
    wrong: 'weights in place of scores',
    args: 'plan @model/model.safetensors --ratio 0.2 --output @out',
    code: 1,
    says: ['espalier-scores/1', 'Score the model again'],
  },
  {
    wrong: 'scores of another model',
    args: 'prune @other --scores @scores.safetensors --ratio 0.2 --output @out',
    code: 1,
    says: ['scores of model', 'but', 'other has the weights', 'Score'],
  },
  {
    wrong: 'a plan of another model',
    args: 'prune @deep --plan @plan.json --output @out',
    code: 1,
    says: ['for 2 layers and the model has 3', "this model's scores"],
  },
  {
    wrong: 'a plan that is no JSON',
    args: 'prune @model --plan @text.txt --output @new/folder/out',
    code: 1,
    says: ['text.txt', 'JSON'],
  },
  {
    wrong: 'a plan and a ratio',
    args: 'prune @model --plan @plan.json --ratio 0.2 --output @out',
    code: 2,
    says: ['--plan already says', '--ratio'],
  },
  {
    wrong: 'compensation without a text',
    args: 'prune @model --plan @plan.json --compensate bias --output @out',
    code: 2,
    says: ['needs calibration text'],
  },
  {
    wrong: 'an unknown number format',
    args: 'prune @model --plan @plan.json --dtype q3 --output @out',
    code: 2,
    says: ['--dtype is "q3"', 'f32, f16, q8, q4'],
  },
  {
    wrong: 'an output folder with other files',
    args: 'prune @model --plan @plan.json --output @mine',
    code: 2,
    says: ['mine', 'diary.txt', 'Name another'],
  },
  {
    wrong: 'an output folder that is a file',
    args: 'prune @model --plan @plan.json --output @text.txt',
    code: 2,
    says: ['text.txt', 'it is a file', 'Name another'],
  },
  {
    wrong: 'an output file that is a folder',
    args: 'score @model --calibration @text.txt --output @mine',
    code: 2,
    says: ['mine is a folder', 'Name a file'],
  },
  {
    wrong: 'an output inside a file',
    args: 'plan @scores.safetensors --ratio 0.2 --metric fisher --output @text.txt/out',
    code: 2,
    says: ['text.txt', 'is a file', 'Name another'],
  },
  {
    wrong: 'an unknown method',
    args: 'compare @model --methods saap,magic --ratios 0.2 --text @text.txt --calibration @text.txt',
    code: 2,
    says: ['"magic" is no method', 'wanda'],
  },
  {
    wrong: 'an unknown compensation',
    args: 'compare @model --methods flap+hope --ratios 0.2 --text @text.txt --calibration @text.txt',
    code: 2,
    says: ['flap+hope', 'flap+bias'],
  },
  { wrong: 'a missing option', args: 'generate @model', code: 2, says: ['--prompt'] },
  { wrong: 'an option that there is not', args: 'inspect @model --colour red', code: 2, says: ['--colour'] },
];

let folder: string;
let before: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-bad-input-'));
  const at = (name: string) => join(folder, name);
  const model = await writeTinyModel(at('model'));
  await writeTinyModel(at('other'), { weights: { seed: 77 } });
  await writeTinyModel(at('deep'), { weights: { layers: 3 } });
  await writeTinyModel(at('missing'), { without: 'model.layers.1.mlp.up_proj.weight' });
  await writeTinyModel(at('reshaped'), {
    reshaped: { name: 'model.layers.0.self_attn.q_proj.weight', shape: [5, 32] },
  });
  await writeTinyModel(at('nan'), {
    changed: { name: 'model.layers.1.mlp.up_proj.weight', at: 3 * 32 + 4, value: Number.NaN },
  });
  await writeTinyModel(at('left-over'), { reshaped: { name: 'model.norm.bias', shape: [32] } });
  await writeTinyModel(at('bert'), { config: { model_type: 'bert' } });
  await writeTinyModel(at('mrope'), { config: { rope_scaling: { rope_type: 'mrope', factor: 4 } } });
  await writeTinyModel(at('no-tokenizer'), { tokenizer: false });
  await mkdir(at('empty'));
  await mkdir(at('no-config'));
  await writeFile(at('no-config/model.safetensors'), await readFile(join(model, 'model.safetensors')));
  await writeTinyModel(at('truncated'));
  await writeFile(
    at('truncated/model.safetensors'),
    (await readFile(join(model, 'model.safetensors'))).subarray(0, -100),
  );
  await mkdir(at('mine'));
  await writeFile(at('mine/diary.txt'), 'dear diary');
  await writeFile(at('text.txt'), tinyText(600));
  await writeFile(at('empty.txt'), ' \n');
  await writeFile(at('book.pdf'), '%PDF');
  await writeFile(at('ids.json'), '[[1, 32, 3]]');
  const windows = ['--calibration', at('text.txt'), '--windows', '4', '--length', '16'];
  const made = [
    await runInside(['score', model, ...windows, '--metrics', 'vector,fisher', '--output', at('scores.safetensors')]),
    await runInside([
      'plan',
      at('scores.safetensors'),
      '--ratio',
      '0.3',
      '--metric',
      'fisher',
      '--output',
      at('plan.json'),
    ]),
  ];
  expect(made.map(({ code }) => code)).toEqual([0, 0]);
  before = await tree(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function tree(path: string): Promise<string[]> {
  return (await readdir(path, { recursive: true })).sort();
}

describe('bad input: the sentence names the thing, the value and the remedy, and nothing is left', () => {
  it.each(CASES)('$wrong', async ({ args, code, says }) => {
    const run = await runInside(
      args.split(' ').map((part) => (part.startsWith('@') ? join(folder, part.slice(1)) : part)),
    );
    expect(run.stderr).not.toContain('unexpected failure');
    for (const part of says) expect(run.stderr).toContain(part);
    expect(run.code).toBe(code);
    if (args.includes('--json')) expect(oneDocument(run.stdout)).toMatchObject({ error: { exit: code } });
    else expect(run.stdout).toBe('');
    expect(await tree(folder)).toEqual(before);
    expect(await readFile(join(folder, 'mine/diary.txt'), 'utf8')).toBe('dear diary');
  });
});
