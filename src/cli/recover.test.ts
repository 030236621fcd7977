import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resultOf, runInside } from './testing/run.ts';
import { tinyText, writeTinyModel } from './testing/tiny-model.ts';

let folder: string;
let model: string;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-recover-'));
  // Alpaca's prompt is long in single characters.
  model = await writeTinyModel(at('model'), { config: { max_position_embeddings: 300 } });
  await writeFile(at('text.txt'), tinyText(3000));
  await writeFile(at('other.txt'), tinyText(400, 7));
  await writeFile(
    at('answers.jsonl'),
    '{"instruction":"say it","output":"it"}\n{"instruction":"now","output":"then"}\n',
  );
  await writeFile(at('wrong.jsonl'), '{"text":"a"}\n{"prompt":"a"}\n');
  await writeFile(
    at('chat.jsonl'),
    '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}\n',
  );
  await mkdir(at('mine'));
  await writeFile(at('mine/diary.txt'), 'dear diary');
  const calibration = ['--calibration', at('text.txt'), '--windows', '4', '--length', '16'];
  const made = await runInside(['score', model, ...calibration, '--output', at('scores.safetensors')]);
  expect(made.code, made.stderr).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const words = (args: string) => args.split(' ').map((part) => (part.startsWith('@') ? at(part.slice(1)) : part));
const COMMON =
  'recover @model --data @text.txt --window 16 --steps 4 --learning-rate 0.01 --batch-windows 4 --threads 1';
const recovered = (args: string) => resultOf(words(`${COMMON} ${args}`));

interface Document {
  readonly history: readonly { readonly step: number; readonly loss?: number; readonly heldOutLoss?: number }[];
  readonly before: { readonly heldOutLoss: number; readonly perplexity: number };
  readonly after: { readonly heldOutLoss: number; readonly perplexity: number };
}

describe('recover', () => {
  it('prunes, trains, merges and exports; the folder is evaluated as any', async () => {
    const plan =
      '--scores @scores.safetensors --ratio 0.2 --compensate least-squares --calibration @text.txt --length 16';
    const found = (await recovered(
      `${plan} --text @other.txt --held-out @other.txt --evaluate-every 2 --group-steps --output @recovered`,
    )) as unknown as Document & Record<string, unknown>;
    expect(found).toMatchObject({ steps: 4, stoppedBecause: 'finished', output: at('recovered') });
    expect(found.parametersAfter).toBeLessThan(found.parametersBefore as number);
    expect(found.history.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4]);
    expect(found.history.filter(({ heldOutLoss }) => heldOutLoss !== undefined).map(({ step }) => step)).toEqual([
      0, 2, 4,
    ]);
    for (const place of [found.before, found.after]) expect(place.perplexity).toBeGreaterThan(1);
    expect(found.verification).toMatchObject({ top1Agreement: expect.any(Number) as number });
    expect(existsSync(at('recovered/onnx/model_q4.onnx'))).toBe(true);
    const record = JSON.parse(await readFile(at('recovered/espalier.json'), 'utf8')) as {
      figures: Record<string, string>;
      recipe: Record<string, unknown>;
    };
    expect(record.figures.recovery).toMatch(/group-wise, 4 bits and the steps of groups, rank 8, 4 steps .* seed 0/);
    expect(record.recipe).toMatchObject({ compensate: 'least-squares', dtype: 'q4' });
    const evaluated = await resultOf(words('evaluate @recovered --text @other.txt --window 16'));
    expect(Math.abs(Math.log(evaluated.perplexity as number) - Math.log(found.after.perplexity))).toBeLessThan(0.05);
    await rm(at('recovered'), { recursive: true });
  });

  it('trains a model that is not pruned too, plain and on answers only', async () => {
    const found = await resultOf(
      words(
        'recover @model --data @answers.jsonl --window 300 --method lora --epochs 2 --batch-windows 1 --threads 1 --output @plain',
      ),
    );
    // One of the two is held out.
    expect(found).toMatchObject({ steps: 2, parametersAfter: found.parametersBefore, learnt: 3 + 5 });
    expect(existsSync(at('plain/onnx/model.onnx'))).toBe(true);
    await rm(at('plain'), { recursive: true });
  });

  it.each([
    { named: '--checkpoint @state ', state: 'state' },
    { named: '', state: 'interrupted.partial' },
  ])('interrupted, leaves nothing but $state, and goes on from it to the same losses', async ({ named, state }) => {
    const whole = (await recovered('--output @whole')) as unknown as Document;
    const before = (await readdir(folder, { recursive: true })).sort();
    let pressed = false;
    const run = await runInside(words(`${COMMON} ${named}--output @interrupted`), (line) => {
      if (pressed || !line.startsWith('recovery 2/')) return;
      pressed = true;
      process.emit('SIGINT');
    });
    expect(run).toMatchObject({ code: 130, stdout: '' });
    expect(run.stderr).toContain(`Interrupted; ${at(state)} keeps the training. The same command goes on from there.`);
    expect(run.stderr).not.toContain('nothing was written');
    expect((await readdir(folder, { recursive: true })).sort()).toEqual([...before, state].sort());
    const other = await runInside(words(`${COMMON} --seed 1 ${named}--output @interrupted`));
    expect(other).toMatchObject({ code: 1, stderr: expect.stringMatching(/(state|partial): .*of another training/) });
    const resumed = (await recovered(`${named}--output @interrupted`)) as unknown as Document;
    expect(resumed.history).toEqual(whole.history);
    expect(existsSync(at(state))).toBe(named !== '');
    for (const name of ['whole', 'interrupted', 'state']) await rm(at(name), { recursive: true, force: true });
  });
});

/** Code, what is wrong, the options, what the sentence must say. */
const WRONG: readonly (readonly [string, string, 1 | 2, readonly string[]])[] = [
  ['no data', 'recover @model --output @out', 2, ['--data']],
  ['data that is not there', 'recover @model --data @gone.txt --output @out', 1, ['There is no file', 'gone.txt']],
  [
    'a record without known fields',
    'recover @model --data @wrong.jsonl --output @out',
    1,
    ['wrong.jsonl, line 2', '"instruction"', 'It has prompt'],
  ],
  [
    'a chat for a model without a template',
    'recover @model --data @chat.jsonl --output @out',
    1,
    ['chat.jsonl', 'no chat template', '"instruction"'],
  ],
  [
    'a data file of another kind',
    'recover @model --data @model/config.json --output @out',
    1,
    ['config.json', 'not a JSON array'],
  ],
  [
    'too little text',
    'recover @model --data @other.txt --window 128 --train-windows 2 --dropout 1 --output @out',
    2,
    ['--dropout is "1"', 'from 0 to 0.99'],
  ],
  [
    'a window that is longer than the text',
    'recover @model --data @other.txt --window 500 --output @out',
    2,
    ['400 tokens', 'Give a longer text'],
  ],
  [
    'one window',
    'recover @model --data @other.txt --window 128 --train-windows 1 --output @out',
    2,
    ['--train-windows is "1"', 'at least 2'],
  ],
  [
    'steps and epochs',
    'recover @model --data @text.txt --steps 1 --epochs 1 --output @out',
    2,
    ['--steps or --epochs'],
  ],
  [
    'an unknown method',
    'recover @model --data @text.txt --method magic --output @out',
    2,
    ['--method is "magic"', 'group-wise, lora'],
  ],
  ['bits that there are not', 'recover @model --data @text.txt --bits 3 --output @out', 2, ['--bits is "3"', '4, 8']],
  [
    'a format that rounds again',
    'recover @model --data @text.txt --bits 8 --dtype q4 --output @out',
    2,
    ['--dtype q4', 'again', 'q8', '--bits 4'],
  ],
  [
    'repair without pruning',
    'recover @model --data @text.txt --compensate bias --output @out',
    2,
    ['--compensate bias', '--ratio'],
  ],
  [
    'a learning rate of 0',
    'recover @model --data @text.txt --window 16 --learning-rate 0 --output @out',
    2,
    ['learningRate is 0', 'above 0'],
  ],
  [
    'an output folder with other files',
    'recover @model --data @text.txt --output @mine',
    2,
    ['mine', 'diary.txt', 'Name another'],
  ],
  [
    'a checkpoint that is a folder',
    'recover @model --data @text.txt --checkpoint @mine --output @out',
    2,
    ['mine is a folder', 'Name a file'],
  ],
  [
    'a checkpoint that is none',
    'recover @model --data @text.txt --window 16 --steps 1 --checkpoint @other.txt --output @out',
    1,
    ['recovery checkpoint', 'not a whole safetensors file'],
  ],
];

describe('bad input: the sentence names the thing, the value and the remedy, and nothing is left', () => {
  it.each(WRONG)('%s', async (_, args, code, says) => {
    const before = (await readdir(folder, { recursive: true })).sort();
    const run = await runInside(words(args));
    expect(run.stderr).not.toContain('unexpected failure');
    for (const part of says) expect(run.stderr).toContain(part);
    expect(run).toMatchObject({ code, stdout: '' });
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(before);
  });
});
