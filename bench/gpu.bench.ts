import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { openNamed } from '../src/checkpoint/local.ts';
import type { ExportDataType } from '../src/decoder/dtypes.ts';
import { HalfPrecisionError, UsageError } from '../src/errors.ts';
import { computeDevice } from '../src/evaluate/speed/compute-device.ts';
import { productSpeeds } from '../src/evaluate/speed/products.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { score } from '../src/library/score.ts';
import { VERSION } from '../src/library/version.ts';
import { createNodeWebGpuRuntime } from '../src/runtime/node-webgpu.ts';
import { benchPrompt } from './decode-models.ts';
import { DispatchCounter } from './gpu/dispatch-counter.ts';
import { type GpuDecoding, measureDecoding } from './gpu/gpu-decoding.ts';
import { measurePeer } from './gpu/gpu-peers.ts';
import { type GpuPeer, type GpuReport, type GpuScoring, gpuMarkdown } from './gpu/gpu-report.ts';

/** For graphics cards. */
const WHOLE = {
  product: { size: 2048, rows: [1, 128], milliseconds: 1000 },
  scoring: { windows: 16, length: 128 },
  decoding: { promptTokens: 64, newTokens: 32, seconds: 8 },
  peers: { promptTokens: 64, newTokens: 64, rounds: 7 },
} as const;
/** For adapters in software, and for a first look. */
const QUICK = {
  product: { size: 256, rows: [1, 128], milliseconds: 100 },
  scoring: { windows: 2, length: 32 },
  decoding: { promptTokens: 16, newTokens: 4, seconds: 4 },
  peers: { promptTokens: 16, newTokens: 8, rounds: 2 },
} as const;

const PARTS = ['products', 'scoring', 'decoding', 'peers'];

/**
 * What a graphics card does for this project, in Node: matrix products, scoring over a forward pass, decoding dense and pruned with the dispatches of a token, and our loop against transformers.js.
 * Prints Markdown. Options: --quick, --adapter NAME, --model NAME (default stories), --json FILE, --only products,scoring,decoding,peers (some of these).
 */
export async function run(words: readonly string[]): Promise<void> {
  const { values: options } = parseArgs({
    args: [...words],
    options: {
      quick: { type: 'boolean', default: false },
      adapter: { type: 'string' },
      model: { type: 'string', default: 'stories' },
      json: { type: 'string' },
      only: { type: 'string', default: PARTS.join() },
    },
  });
  const started = performance.now();
  const stage = (text: string) =>
    process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
  const sizes = options.quick ? QUICK : WHOLE;
  using runtime = await createNodeWebGpuRuntime(options.adapter === undefined ? {} : { adapter: options.adapter });
  const counter = new DispatchCounter();
  const device = computeDevice(runtime);
  const half = device.adapter?.halfPrecision === true;
  const formats: readonly ExportDataType[] = half ? ['f32', 'f16', 'q4'] : ['f32', 'q4'];
  const parts = options.only.split(',');
  const unknown = parts.find((part) => !PARTS.includes(part));
  if (unknown !== undefined) throw new UsageError(`--only names "${unknown}"; there are ${PARTS.join(', ')}.`);

  stage(device.adapter?.name ?? device.description);
  if (parts.includes('products')) stage('matrix products');
  const products = parts.includes('products') ? await productSpeeds(runtime, sizes.product) : [];

  using open = new OpenModel(runtime, await openNamed(options.model));
  const { vocabulary, layers } = open.config;
  const { windows: count, length } = sizes.scoring;
  const windows = Array.from({ length: count }, () => benchPrompt(length, vocabulary));
  const calibration = { source: 'benchmark', sha256: '', seed: 0 };
  const scoring: GpuScoring[] = [];
  const precisions = half ? (['f32', 'f16'] as const) : (['f32'] as const);
  for (const precision of parts.includes('scoring') ? precisions : []) {
    stage(`scoring in ${precision}`);
    try {
      // The first run compiles shaders.
      await score(open, { windows, calibration, precision });
      const { seconds, forwardSeconds } = await score(open, { windows, calibration, precision });
      scoring.push({ precision, tokens: count * length, seconds, forwardSeconds });
    } catch (error) {
      if (!(error instanceof HalfPrecisionError)) throw error;
      stage(error.message);
    }
  }

  const decoding: GpuDecoding[] = [];
  const peers: GpuPeer[] = [];
  const prompt = benchPrompt(sizes.peers.promptTokens, vocabulary);
  for (const format of formats) {
    if (parts.includes('decoding')) {
      stage(`decoding in ${format}`);
      decoding.push(...(await measureDecoding(open, format, sizes.decoding, counter)));
    }
    if (parts.includes('peers')) {
      stage(`transformers.js in ${format}`);
      peers.push(await measurePeer(runtime, options.model, format, { ...sizes.peers, prompt }));
    }
  }
  const report: GpuReport = {
    ...{ date: new Date().toISOString().slice(0, 10), version: VERSION, node: process.version, quick: options.quick },
    ...{ device, products, model: { name: options.model, layers } },
    ...{ scoring, decoding, peers, seconds: (performance.now() - started) / 1000 },
  };
  console.log(gpuMarkdown(report));
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
}
