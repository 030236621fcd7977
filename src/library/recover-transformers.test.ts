import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { diskOutput } from '../export/disk.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { openDecoder } from '../generate/decoder.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { randomWindows } from '../saap/recovery/testing/adapted.ts';
import { exportPruned } from './export.ts';
import { OpenModel } from './open-model.ts';
import { recover } from './recover.ts';

/** Development test: transformers.js runs a recovered model with nothing of ours. */
env.allowRemoteModels = false;
env.allowLocalModels = true;

let runtime: Runtime;
let folder: string;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
  folder = await mkdtemp(join(tmpdir(), 'espalier-recovered-'));
});
afterAll(async () => {
  runtime.dispose();
  await rm(folder, { recursive: true, force: true });
});

const PROMPT = [5, 9, 30, 2, 17];

test('transformers.js gives the logits of our decoder for a model of 4 bits with remainders, rows of unequal groups too', async () => {
  const path = join(folder, 'recovered');
  const widths = [
    { keyValueHeads: 2, neurons: 32 },
    { keyValueHeads: 1, neurons: 44 },
  ];
  using open = new OpenModel(runtime, randomLlama({ hiddenSize: 64, neurons: 48, headDimension: 16, widths }));
  const recovered = await recover(open, { method: 'group-wise', steps: 3, learningRate: 0.02, examples: randomWindows(6, 64) });
  using model = recovered.model;
  await exportPruned(model, { output: await diskOutput(path), dtype: 'q4' });

  using decoder = await openDecoder(runtime, { path: join(path, 'onnx/model_q4.onnx') }, { label: 'recovered', fixedCache: true });
  using sequence = decoder.start(PROMPT.length);
  const expected = await sequence.append(PROMPT);
  env.localModelPath = dirname(path);
  const other = await AutoModelForCausalLM.from_pretrained(basename(path), { local_files_only: true });
  const inputs = { input_ids: new Tensor('int64', BigInt64Array.from(PROMPT, BigInt), [1, PROMPT.length]) };
  const { logits } = (await other({ ...inputs, attention_mask: new Tensor('int64', new BigInt64Array(PROMPT.length).fill(1n), [1, PROMPT.length]) })) as {
    logits: Tensor;
  };
  const found = Array.from(logits.data as Float32Array).slice(-expected.length);
  await other.dispose();
  for (const [index, value] of expected.entries()) expect(Math.abs(value - (found[index] ?? Number.NaN))).toBeLessThan(1e-4);
});
