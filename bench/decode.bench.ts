import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openNamed } from '../src/checkpoint/local.ts';
import { EXPORT_FORMATS, type ExportDataType } from '../src/decoder/dtypes.ts';
import { openDecoder } from '../src/generate/decoder.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import { type Lap, report } from './decode-lap.ts';
import { ownLap, transformersLoop } from './decode-loops.ts';
import { benchPrompt, exportBenchModels } from './decode-models.ts';

const PROMPT = 64;
const NEW_TOKENS = 64;

/**
 * Decoding on the CPU: our loop against transformers.js on the same exported files, and dense against pruned, interleaved lap by lap.
 * Options: a model (default stories), a number format (default f32), rounds (default 7).
 */
export async function run([name = 'stories', format = 'f32', rounds = '7']: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  const dataType = format as ExportDataType;
  using runtime = await createNodeRuntime();
  try {
    using open = new OpenModel(runtime, await openNamed(name));
    const prompt = benchPrompt(PROMPT, open.config.vocabulary);
    const contestants: { name: string; bytes: number; lap: () => Promise<Lap>; laps: Lap[] }[] = [];
    for (const model of await exportBenchModels(open, folder, dataType, [0.2, 0.5])) {
      const path = join(folder, model.folder, 'onnx', EXPORT_FORMATS[dataType].file);
      const decoder = await openDecoder(runtime, { path }, { fixedCache: true });
      contestants.push({ ...model, lap: () => ownLap(decoder, prompt, NEW_TOKENS), laps: [] });
      if (model.name === '-20%') continue;
      const threads = { intraOpNumThreads: availableParallelism(), interOpNumThreads: 1 };
      const theirs = await transformersLoop(folder, model.folder, { session_options: threads });
      contestants.push({
        ...model,
        name: `${model.name}, transformers.js`,
        lap: () => theirs(prompt, NEW_TOKENS),
        laps: [],
      });
    }
    for (let round = -1; round < Number(rounds); round++) {
      // Each round begins with another one, so that none always follows the same other.
      const turn = Math.max(0, round) % contestants.length;
      for (const { lap, laps } of [...contestants.slice(turn), ...contestants.slice(0, turn)]) {
        const result = await lap();
        if (round >= 0) laps.push(result);
      }
    }
    console.log(
      `${name} in ${dataType}, ${runtime.description}: ${PROMPT} prompt tokens, ${NEW_TOKENS} decoded, ${rounds} rounds in turn`,
    );
    for (const line of report(contestants, PROMPT, open.config.layers)) console.log(line);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
