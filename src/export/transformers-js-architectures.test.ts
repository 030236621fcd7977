import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { architectureFor } from '../architecture/index.ts';
import {
  FIXTURES,
  type FixtureName,
  fixtureFolder,
  openFixture,
  relativeDifference,
} from '../architecture/testing/fixture.ts';
import { diskFolder } from '../checkpoint/files/disk.ts';
import { openCheckpoint } from '../checkpoint/folder.ts';
import { OpenModel } from '../library/open-model.ts';
import type { LayerPlan } from '../plan/plan.ts';
import { blockProgramLogits } from './block-logits.ts';
import { diskOutput } from './disk.ts';
import { exportModel } from './export-model.ts';
import { exportBench, greedyByTransformers } from './testing/transformers-js.ts';

/** Every architecture, exported and run by transformers.js with nothing of ours, against greedy tokens of PyTorch. */
const bench = exportBench();

interface Greedy {
  readonly prompt: readonly number[];
  readonly plan: readonly LayerPlan[];
  readonly dense: readonly number[];
  /** Of the model in which what the removed groups contribute is zero. */
  readonly pruned: readonly number[];
}

/** Where the exports go; with EXPORTS_FOLDER they stay there, for scripts/fixtures/take_away_genai.py. */
async function exported(open: OpenModel, name: string): Promise<string> {
  const path = join(process.env.EXPORTS_FOLDER ?? bench.folder, name);
  const reference = blockProgramLogits(open.programs, open.store);
  await exportModel({
    model: open.model,
    output: await diskOutput(path),
    runtime: bench.runtime,
    reference,
    version: '0.0.0',
  });
  return path;
}

/** Fixtures whose family transformers.js has no class for (4.0). */
const UNKNOWN_THERE: readonly FixtureName[] = ['glm4'];

test.each(UNKNOWN_THERE)('transformers.js does not know %s', async (name) => {
  const { checkpoint } = await openFixture(name);
  using open = new OpenModel(bench.runtime, checkpoint);
  const path = await exported(open, name);
  await expect(greedyByTransformers(path, [1, 2], 1)).rejects.toThrow('Unsupported model type');
});

const KNOWN_THERE = FIXTURES.filter((name) => !UNKNOWN_THERE.includes(name));

describe.each(KNOWN_THERE)('transformers.js decodes %s as PyTorch does', (name) => {
  test.each(['dense', 'pruned'] as const)('%s', async (kind) => {
    const greedy = JSON.parse(await readFile(join(fixtureFolder(name), 'greedy.json'), 'utf8')) as Greedy;
    const { checkpoint } = await openFixture(name);
    using dense = new OpenModel(bench.runtime, checkpoint);
    using open = kind === 'dense' ? dense.withCheckpoint(checkpoint) : dense.pruned(greedy.plan);
    const path = await exported(open, `${name}-${kind}`);
    const expected = greedy[kind];
    const ours = { prompt: greedy.prompt, tokens: expected.slice(greedy.prompt.length) };
    if (process.env.EXPORTS_FOLDER) await writeFile(join(path, 'ours.json'), JSON.stringify(ours));
    expect(await greedyByTransformers(path, greedy.prompt, expected.length - greedy.prompt.length)).toEqual(expected);
    const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8')) as Record<string, unknown> & {
      espalier: { layers: unknown[] };
    };
    expect(config.espalier.layers).toHaveLength(greedy.plan.length);
    // Whoever reads the exported config sees the same rotations and windows.
    const reread = architectureFor({ ...open.model.checkpoint, config });
    for (const layer of greedy.plan.keys())
      expect(reread.positions(layer)).toEqual(open.model.architecture.positions(layer));
    expect(reread.config.layerWidths).toEqual(open.config.layerWidths);
    // And the weights: the export opens as a model that computes the same.
    using again = dense.withCheckpoint(await openCheckpoint(await diskFolder(path)));
    const logits = (model: OpenModel) => blockProgramLogits(model.programs, model.store)(greedy.prompt);
    expect(relativeDifference(await logits(again), await logits(open))).toBeLessThan(1e-5);
  });
});
