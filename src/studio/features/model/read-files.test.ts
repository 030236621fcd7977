import { readFileSync } from 'node:fs';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { FileFormatError, MismatchError } from '../../../errors.ts';
import { decodeScores } from '../../../importance/files/score-file.ts';
import { makePlan } from '../../../plan/make-plan.ts';
import { encodePlan } from '../../../plan/plan-file.ts';
import { checkScoresFit, readFiles } from './read-files.ts';

const bytes = new Uint8Array(readFileSync('public/models/stories/scores.safetensors'));
const json = (path: string, value: unknown) => [{ path, blob: new Blob([JSON.stringify(value)]) }];

describe('readFiles', () => {
  it('knows a score file from weights', async () => {
    const read = await readFiles([{ path: 'stories.scores.safetensors', blob: new Blob([bytes]) }]);
    expect(read).toMatchObject({ kind: 'scores', scores: { model: { name: 'stories' } } });
    const weights = [{ path: 'model.safetensors', blob: new Blob([new Uint8Array(64)]) }];
    expect(await readFiles(weights)).toEqual({ kind: 'model', name: 'model.safetensors', files: weights });
  });

  it('takes the recipe out of a recipe and of the record of a pruned model, and a plan as it is', async () => {
    const scores = await decodeScores(bytes);
    const plan = makePlan(scores, { target: { kind: 'ratio', value: 0.3 }, search: 'global', seed: 4 });
    const choices = { search: 'global', seed: 4, target: { kind: 'ratio', value: 0.3 } };
    for (const files of [
      json('my.recipe.json', plan.recipe),
      json('stories-pruned-30/espalier.json', { recipe: plan.recipe }),
    ])
      expect(await readFiles(files)).toMatchObject({
        kind: 'recipe',
        model: 'stories',
        recipe: { choices, refused: [] },
      });
    const file = encodePlan(plan);
    const read = await readFiles([{ path: 'my.plan.json', blob: new Blob([file as Uint8Array<ArrayBuffer>]) }]);
    expect(read).toEqual({ kind: 'plan', name: 'my.plan.json', bytes: file });
  });

  it('says what of a recipe cannot be used, and refuses damaged JSON', async () => {
    const read = await readFiles(json('a.json', { metric: 'loudness', seed: 2 }));
    expect(read).toMatchObject({ kind: 'recipe', model: undefined, recipe: { choices: { seed: 2 } } });
    await expect(readFiles([{ path: 'a.json', blob: new Blob(['{"seed": ']) }])).rejects.toBeInstanceOf(
      FileFormatError,
    );
  });

  it('opens the archive of a model', async () => {
    const archive = new Blob([
      new Uint8Array(zipSync({ 'stories-pruned-20-f16': { 'config.json': new Uint8Array(2) } })),
    ]);
    const read = await readFiles([{ path: 'stories-pruned-20-f16.zip', blob: archive }]);
    expect(read).toMatchObject({
      kind: 'model',
      name: 'stories-pruned-20-f16',
      files: [{ path: 'stories-pruned-20-f16/config.json' }],
    });
  });

  it('takes anything else for files of a model', async () => {
    const files = [...json('m/config.json', {}), ...json('m/model.onnx', {})];
    expect(await readFiles(files)).toEqual({ kind: 'model', name: 'm', files });
  });
});

it('refuses scores of another model', async () => {
  const scores = await decodeScores(bytes);
  checkScoresFit(scores, scores.groups, 'a.safetensors');
  expect(() => checkScoresFit(scores, scores.groups.slice(1), 'a.safetensors')).toThrow(MismatchError);
});
