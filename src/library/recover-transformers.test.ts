import { join } from 'node:path';
import type { Tensor } from '@huggingface/transformers';
import { expect, test } from 'vitest';
import { diskOutput } from '../export/disk.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { exportBench, openTransformers, transformersInputs } from '../export/testing/transformers-js.ts';
import { openDecoder } from '../generate/decoder.ts';
import { randomWindows } from '../recovery/testing/adapted.ts';
import { exportPruned } from './export.ts';
import { OpenModel } from './open-model.ts';
import { recover } from './recover.ts';

/** Development test: transformers.js runs a recovered model with nothing of ours. */
const bench = exportBench();
const PROMPT = [5, 9, 30, 2, 17];

test('transformers.js gives the logits of our decoder for a model of 4 bits with remainders, rows of unequal groups too', async () => {
  const path = join(bench.folder, 'recovered');
  const widths = [
    { keyValueHeads: 2, neurons: 32 },
    { keyValueHeads: 1, neurons: 44 },
  ];
  using open = new OpenModel(bench.runtime, randomLlama({ hiddenSize: 64, neurons: 48, headDimension: 16, widths }));
  const recovered = await recover(open, {
    method: 'group-wise',
    steps: 3,
    learningRate: 0.02,
    examples: randomWindows(6, 64),
  });
  using model = recovered.model;
  await exportPruned(model, { output: await diskOutput(path), dtype: 'q4' });

  using decoder = await openDecoder(
    bench.runtime,
    { path: join(path, 'onnx/model_q4.onnx') },
    { label: 'recovered', fixedCache: true },
  );
  using sequence = decoder.start(PROMPT.length);
  const expected = await sequence.append(PROMPT);
  const other = await openTransformers(path);
  const { ids, mask } = transformersInputs(PROMPT);
  const { logits } = (await other({ input_ids: ids, attention_mask: mask })) as { readonly logits: Tensor };
  const found = Array.from(logits.data as Float32Array).slice(-expected.length);
  await other.dispose();
  for (const [index, value] of expected.entries())
    expect(Math.abs(value - (found[index] ?? Number.NaN))).toBeLessThan(1e-4);
});
