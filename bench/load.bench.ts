import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright';
import { openNamed } from '../src/checkpoint/local.ts';
import { EXPORT_FORMATS, type ExportDataType } from '../src/decoder/dtypes.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import type {} from './browser/load.ts';
import { withBenchPage } from './browser-page.ts';
import { exportBenchModels } from './decode-models.ts';

const MEBIBYTE = 2 ** 20;

/**
 * Peak memory of opening a decoder in Chromium, over what the page had before, in multiples of the weights' bytes: of the page's process, and of the
 * graphics process. Weights are streamed from a Blob, which the browser keeps outside the page, and for comparison given as one array. Linux only: peaks
 * are the kernel's. Options: backend (default wasm), a model (default stories), a number format (default f32).
 */
export async function run([backend = 'wasm', name = 'stories', format = 'f32']: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  const dataType = format as ExportDataType;
  try {
    using runtime = await createNodeRuntime();
    using open = new OpenModel(runtime, await openNamed(name));
    const [model] = await exportBenchModels(open, folder, dataType, []);
    const bytes = model?.bytes ?? 0;
    console.log(`${name} in ${format}, ${(bytes / MEBIBYTE).toFixed(1)} MiB, Chromium, ${backend}`);
    for (const streamed of [true, false]) {
      const peaks = await withBenchPage({ '/models/': folder }, async (page, browser) => {
        await page.evaluate((where) => window.loadBench.prepare(where), backend as 'wasm' | 'webgpu');
        const before = await memory(browser, true);
        const call = [`/models/dense/onnx/${EXPORT_FORMATS[dataType].file}`, streamed] as const;
        await page.evaluate(([url, blob]) => window.loadBench.load(url, blob), call);
        const after = await memory(browser, false);
        return (['renderer', 'GPU'] as const).map((type) => ({
          type,
          extra: (after.get(type)?.peak ?? 0) - (before.get(type)?.now ?? 0),
        }));
      });
      const told = peaks.map(
        ({ type, extra }) =>
          `${type} ${(extra / MEBIBYTE).toFixed(0)} MiB, ${(extra / bytes).toFixed(2)} of the weights`,
      );
      console.log(`  ${streamed ? 'streamed from a Blob' : 'as one array'}: ${told.join('; ')}`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Bytes resident now and at most, by kind of process (the largest of a kind); `reset` starts a new measurement of the peak. */
async function memory(
  browser: Browser,
  reset: boolean,
): Promise<Map<string, { readonly now: number; readonly peak: number }>> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = (await session.send('SystemInfo.getProcessInfo')) as {
    processInfo: readonly { readonly type: string; readonly id: number }[];
  };
  const found = new Map<string, { readonly now: number; readonly peak: number }>();
  for (const { type, id } of processInfo) {
    if (reset) await writeFile(`/proc/${id}/clear_refs`, '5');
    const status = await readFile(`/proc/${id}/status`, 'utf8');
    const kilobytes = (key: string) =>
      Number(status.match(new RegExp(`${key}:\\s+(\\d+) kB`))?.[1] ?? Number.NaN) * 1024;
    const entry = { now: kilobytes('VmRSS'), peak: kilobytes('VmHWM') };
    if (entry.now > (found.get(type)?.now ?? 0)) found.set(type, entry);
  }
  return found;
}
