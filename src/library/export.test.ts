import { expect, it } from 'vitest';
import { memoryFolder } from '../export/memory-folder.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { exportPruned } from './export.ts';
import { OpenModel } from './open-model.ts';

it('leaves nothing where it is stopped before anything of the model is written', async () => {
  using runtime = await createNodeRuntime({ threads: 1 });
  using open = new OpenModel(runtime, randomLlama({ seed: 3 }));
  const folder = memoryFolder();
  let discarded = 0;
  const output = {
    ...folder,
    discard: async () => {
      discarded += 1;
    },
  };
  // Rounding by GPTQ comes first, and hears of the cancellation.
  const stopped = exportPruned(open, {
    output,
    dtype: 'q4',
    roundingWindows: [[1, 2, 3, 4, 5, 6, 7, 8]],
    signal: AbortSignal.abort(),
  });
  await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
  expect(discarded).toBe(1);
});
