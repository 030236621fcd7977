import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { openNamed } from '../checkpoint/local.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import { OpenModel } from '../library/open-model.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { importance } from './importance.ts';
import { kendallTau } from './testing/rank-correlation.ts';

/** Every layer ranks alike by both, as far as few windows let the exact metric itself be known. */
const FLOOR = 0.75;

it('kronecker ranks the neurons of a trained model as element-second does, without a gradient of any weight', async () => {
  using runtime = await createNodeRuntime({ threads: 2 });
  using open = new OpenModel(runtime, await openNamed('stories'));
  const text = await readFile('public/models/stories/calibration.txt', 'utf8');
  const ids = (await open.tokenizer()).encode(text, { addSpecialTokens: false });
  const windows = tokenWindows(ids, { length: 64, count: 24, seed: 0 });
  const { layers } = await importance(open.programs, open.store, windows, {
    structuresOf: open.structuresOf,
    metrics: ['kronecker', 'element-second'],
  });
  const correlations = layers.map(({ mlp }) =>
    kendallTau(Array.from(mlp['element-second'] ?? []), mlp.kronecker ?? []),
  );
  console.log(
    `rank correlation (Kendall) of kronecker with element-second, neurons by layer: ${correlations.map((tau) => tau.toFixed(3)).join(', ')}`,
  );
  expect(layers.length).toBeGreaterThan(2);
  for (const tau of correlations) expect(tau).toBeGreaterThan(FLOOR);
}, 60_000);
