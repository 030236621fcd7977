import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FileFormatError } from '../../../errors.ts';
import { perplexity } from '../../../evaluate/perplexity.ts';
import { tokenWindows } from '../../../evaluate/token-windows.ts';
import { decodeScores } from '../../../importance/files/score-file.ts';
import { openModel } from '../../../library/open.ts';
import { exportedBytes } from '../../../library/storage.ts';
import { makePlan } from '../../../plan/make-plan.ts';
import { parseMethod } from '../../../plan/methods/methods.ts';
import { INITIAL_RECIPE } from '../plan/slice.ts';
import { parseShippedCurve, shippedFrom, shippedSample } from './shipped-curve.ts';

const FOLDER = 'public/models/stories';
const TEXT = readFileSync(`${FOLDER}/curve.json`, 'utf8');
const curve = parseShippedCurve(JSON.parse(TEXT));

describe('the curve that is shipped with stories', () => {
  it('is small, whole, and of the files beside it', async () => {
    expect(statSync(`${FOLDER}/curve.json`).size).toBeLessThan(150_000);
    const scores = await decodeScores(new Uint8Array(readFileSync(`${FOLDER}/scores.safetensors`)));
    expect(curve.model.sha256).toBe(scores.model.sha256);
    expect(curve.text.sha256).toBe(
      createHash('sha256')
        .update(readFileSync(`${FOLDER}/evaluation.txt`))
        .digest('hex'),
    );
    expect(curve.methods.length).toBeGreaterThanOrEqual(4);
    for (const { points } of curve.methods) {
      expect(points.map(({ ratio }) => ratio)).toEqual(
        Array.from({ length: 16 }, (_, step) => Number((0.05 * (step + 1)).toFixed(3))),
      );
      for (const point of points) expect(point.bytes).toBeLessThan(curve.dense.bytes);
    }
    expect(curve.samples.texts.map(({ ratio }) => ratio)).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]);
  });

  it('is what is measured here: dense, and two points of two methods', async () => {
    const scores = await decodeScores(new Uint8Array(readFileSync(`${FOLDER}/scores.safetensors`)));
    using open = await openModel(FOLDER);
    const ids = (await open.tokenizer()).encode(readFileSync(`${FOLDER}/evaluation.txt`, 'utf8'), {
      addSpecialTokens: false,
    });
    const windows = tokenWindows(ids, { length: curve.text.length }).slice(0, curve.text.windows);
    const dense = await perplexity(open.programs, open.store, windows);
    expect(dense.perplexity / curve.dense.perplexity).toBeCloseTo(1, 3);
    const recipes = [
      { name: 'saap', ratio: 0.3, recipe: INITIAL_RECIPE },
      { name: 'magnitude-l2', ratio: 0.15, recipe: { seed: 0, ...parseMethod('magnitude-l2').recipe } },
    ];
    for (const { name, ratio, recipe } of recipes) {
      const plan = makePlan(scores, { ...recipe, target: { kind: 'ratio', value: ratio } });
      using pruned = open.pruned(plan.layers);
      const measured = await perplexity(pruned.programs, pruned.store, windows);
      const shipped = curve.methods
        .find((method) => method.name === name)
        ?.points.find((point) => point.ratio === ratio);
      expect(measured.perplexity / (shipped?.perplexity ?? Number.NaN)).toBeCloseTo(1, 3);
      expect(shipped?.parameters).toBe(plan.parametersAfter);
      expect(shipped?.bytes).toBe(exportedBytes(pruned, 'f16'));
    }
  });
});

describe('parseShippedCurve', () => {
  it('names what is wrong with a file', () => {
    for (const [damage, sentence] of [
      [{ format: 'espalier-curve/9' }, /format is "espalier-curve\/9"; it must be "espalier-curve\/1"/],
      [{ dense: { ...curve.dense, perplexity: null } }, /perplexity is null/],
      [{ methods: 'many' }, /methods is "many"/],
      [{ samples: undefined }, /samples is missing/],
    ] as const) {
      const parse = () => parseShippedCurve({ ...JSON.parse(TEXT), ...damage });
      expect(parse).toThrow(FileFormatError);
      expect(parse).toThrow(sentence);
    }
  });
});

it('finds the text nearest to a ratio, and says where the figures are from', () => {
  expect(shippedSample(curve, 0.33)?.ratio).toBe(0.3);
  expect(shippedFrom(curve)).toMatch(
    /^Measured by us with Espalier \S+ on cpu, \d{4}-\d\d-\d\d: \d+ × 128 tokens of evaluation.txt$/,
  );
});
