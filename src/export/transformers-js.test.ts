import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { ExportDataType } from '../decoder/dtypes.ts';
import { OpenModel } from '../library/open-model.ts';
import { blockProgramLogits } from './block-logits.ts';
import { diskOutput } from './disk.ts';
import { exportModel } from './export-model.ts';
import { type RandomLlamaOptions, randomLlama } from './testing/random-llama.ts';
import { referenceLogits } from './testing/reference-llama.ts';
import { exportBench, greedyByTransformers } from './testing/transformers-js.ts';

/** Development test: what users do with an export. transformers.js runs it with nothing of ours. */
const bench = exportBench();

async function exported(checkpoint: Checkpoint, name: string, dataType: ExportDataType = 'f32'): Promise<string> {
  const path = join(bench.folder, name);
  using open = new OpenModel(bench.runtime, checkpoint);
  await exportModel({
    model: open.model,
    output: await diskOutput(path),
    runtime: bench.runtime,
    reference: blockProgramLogits(open.programs, open.store),
    dataType,
    version: '0.0.0',
  });
  return path;
}

const SHAPES: Readonly<Record<string, RandomLlamaOptions>> = {
  uniform: { seed: 3 },
  'non-uniform': {
    seed: 4,
    widths: [
      { keyValueHeads: 1, neurons: 17 },
      { keyValueHeads: 0, neurons: 0 },
      { keyValueHeads: 2, neurons: 40 },
    ],
  },
};

describe('transformers.js', () => {
  for (const [name, options] of Object.entries(SHAPES)) {
    test(`loads an export of ${name} widths and decodes the tokens of the definition`, async () => {
      const checkpoint = randomLlama(options);
      modelOf(checkpoint);
      const path = await exported(checkpoint, name.replace(' ', '-'));
      const prompt = [10, 20, 30, 40, 50];
      const found = await greedyByTransformers(path, prompt, 12);
      const expected = [...prompt];
      while (expected.length < found.length) {
        const logits = (await referenceLogits(checkpoint, expected)).at(-1) ?? new Float64Array();
        expected.push(logits.indexOf(Math.max(...logits)));
      }
      expect(found).toEqual(expected);
      expect(found.length).toBeGreaterThan(prompt.length);
    });
  }
});
