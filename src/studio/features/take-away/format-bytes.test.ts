import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openNamed } from '../../../checkpoint/local.ts';
import { ggufModel } from '../../../export/gguf/model.ts';
import { modelShape } from '../../../export/safetensors/shape.ts';
import { safetensorsFile } from '../../../export/safetensors/weights.ts';
import { decodeScores } from '../../../importance/files/score-file.ts';
import type { Scores } from '../../../importance/sums/scores.ts';
import { OpenModel } from '../../../library/open-model.ts';
import { makePlan } from '../../../plan/make-plan.ts';
import type { Plan } from '../../../plan/plan.ts';
import { createNodeRuntime } from '../../../runtime/node.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import { ggufBytes, isPlainPlan, safetensorsBytes } from './format-bytes.ts';

let runtime: Runtime;
let dense: OpenModel;
let scores: Scores;
beforeAll(async () => {
  runtime = await createNodeRuntime({});
  dense = new OpenModel(runtime, await openNamed('stories'));
  scores = await decodeScores(new Uint8Array(await readFile('public/models/stories/scores.safetensors')));
});
afterAll(() => {
  dense.dispose();
  runtime.dispose();
});
const planIn = (options: Omit<Parameters<typeof makePlan>[1], 'target'>): Plan =>
  makePlan(scores, { target: { kind: 'ratio', value: 0.2 }, ...options });

test('sizes that are promised are those of the files, but for headers and the tokenizer in one of them', async () => {
  const plan = planIn({ shape: 'standard' });
  using open = dense.pruned(plan.layers);
  const pruned = open.model;
  for (const type of ['float32', 'float16', 'bfloat16'] as const) {
    const rest = safetensorsFile(pruned, modelShape(pruned), type).byteLength - safetensorsBytes(scores, plan, type);
    expect(rest).toBeGreaterThan(0);
    expect(rest).toBeLessThan(20_000);
  }
  for (const type of ['F32', 'F16', 'Q8_0', 'Q4_0', 'Q4_1'] as const) {
    const rest = (await ggufModel(pruned, { type })).byteLength - ggufBytes(scores, plan, type);
    expect(rest).toBeGreaterThan(0);
    // 4,096 tokens with their merges.
    expect(rest).toBeLessThan(200_000);
  }
});

test('a plan is plain where all layers that are left are equally wide', () => {
  expect(isPlainPlan(planIn({ shape: 'uniform' }))).toBe(true);
  expect(isPlainPlan(planIn({}))).toBe(false);
  expect(isPlainPlan(planIn({ search: 'depth' }))).toBe(true);
});
