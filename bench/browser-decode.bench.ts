import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openNamed } from '../src/checkpoint/local.ts';
import { allowsSingleToken, decoderGraph } from '../src/decoder/decoder-graph.ts';
import { EXPORT_FORMATS, type ExportDataType } from '../src/decoder/dtypes.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { writeModel } from '../src/onnx/write.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import type { BrowserBench } from './browser/decode.ts';
import { withBenchPage } from './browser-page.ts';
import { report } from './decode-lap.ts';
import { benchPrompt, exportBenchModels } from './decode-models.ts';

declare global {
  interface Window {
    readonly browserBench: BrowserBench;
  }
}

const PROMPT = 32;
const CAPACITY = 256;
const SINGLE_TOKEN = 'single-token.onnx';

/**
 * Decoding in Chromium: our loop against transformers.js on the same exported files, and dense against pruned, interleaved lap by lap, with
 * the GPU dispatches of a token counted. Options: backend (wasm or webgpu; default wasm), a model (default stories), a number format (default
 * f32), tokens to decode (default 32), rounds (default 5).
 */
export async function run([
  backend = 'wasm',
  name = 'stories',
  format = 'f32',
  newTokens = '32',
  rounds = '5',
]: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  const dataType = format as ExportDataType;
  try {
    using runtime = await createNodeRuntime();
    using open = new OpenModel(runtime, await openNamed(name));
    const models = await exportBenchModels(open, join(folder, 'models'), dataType, [0.2, 0.5]);
    const isCaptured = backend === 'webgpu' && allowsSingleToken(open.model, dataType);
    if (isCaptured) {
      // The same weights in the same places: it reads the dense model's data file.
      const { graph } = decoderGraph(open.model, { dataType, singleToken: { capacity: CAPACITY } });
      await writeFile(join(folder, 'models/dense/onnx', SINGLE_TOKEN), writeModel(graph));
    }
    const folders = {
      '/models/': join(folder, 'models'),
      '/ort-transformers/': 'node_modules/@huggingface/transformers/node_modules/onnxruntime-web/dist',
    };
    const options = {
      backend: backend as 'wasm' | 'webgpu',
      models,
      file: EXPORT_FORMATS[dataType].file,
      singleToken: isCaptured ? { file: SINGLE_TOKEN, capacity: CAPACITY } : undefined,
      prompt: benchPrompt(PROMPT, open.config.vocabulary),
      newTokens: Number(newTokens),
      rounds: Number(rounds),
    };
    const { description, timed } = await withBenchPage(folders, (page) =>
      page.evaluate((call) => window.browserBench.run(call), options),
    );
    console.log(
      `${name} in ${dataType}, Chromium, ${description}: ${PROMPT} prompt tokens, ${newTokens} decoded, ${rounds} rounds in turn`,
    );
    for (const line of report(timed, PROMPT, open.config.layers)) console.log(line);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
