import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { decodeScores } from '../importance/files/score-file.ts';
import { openAdapter } from '../runtime/gpu-device.ts';
import { describeOnWebGpu, GPU_TIMEOUT } from '../runtime/testing/webgpu.ts';
import type { WebGpuRuntime } from '../runtime/webgpu-runtime.ts';
import { resultOf, runInside } from './testing/run.ts';
import { tinyText, writeTinyModel } from './testing/tiny-model.ts';

/** The runtime that the command opened last, and what the next one is to lack. */
let opened: WebGpuRuntime | undefined;
let limits: { readonly ofDevice?: Record<string, number>; readonly ofAdapter?: Record<string, number> } = {};
vi.mock('../runtime/node-webgpu.ts', async (original) => {
  const module = await original<typeof import('../runtime/node-webgpu.ts')>();
  return {
    ...module,
    createNodeWebGpuRuntime: async (options: { readonly adapter?: string }) => {
      const { ofDevice, ofAdapter } = limits;
      limits = {};
      if (ofAdapter) await openAdapter(adapterWith(ofAdapter));
      opened = await module.createNodeWebGpuRuntime(options);
      const { device } = opened;
      if (ofDevice)
        Object.defineProperty(device, 'limits', {
          value: new Proxy(device.limits, {
            get: (target, name) => ofDevice[String(name)] ?? Reflect.get(target, name, target),
          }),
        });
      return opened;
    },
  };
});

describeOnWebGpu('commands on WebGPU', { timeout: GPU_TIMEOUT }, () => {
  let folder: string;
  let model: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'espalier-gpu-'));
    model = await writeTinyModel(join(folder, 'tiny'));
    await writeFile(join(folder, 'text.txt'), tinyText(10_000));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const args = (output: string) => [
    ...['score', model, '--calibration', join(folder, 'text.txt'), '--windows', '8', '--length', '16'],
    ...['--backend', 'webgpu', '--output', join(folder, output)],
  ];

  test('a device that is lost in the middle of score ends it with a sentence; the same command goes on, to the same bytes', async () => {
    const state = join(folder, 'scores.safetensors.partial');
    const watch = setInterval(() => {
      if (existsSync(state)) opened?.device.destroy();
    }, 5);
    const failed = await runInside(args('scores.safetensors')).finally(() => clearInterval(watch));
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toMatch(
      /espalier: .*: the graphics device was lost \(it was destroyed\)\. Start again; .*cpu or wasm backend/,
    );
    expect(failed.stderr).toContain('scores.safetensors.partial keeps the layers that are scored');

    const finished = await resultOf(args('scores.safetensors'));
    expect(finished).toMatchObject({ backend: 'webgpu', adapter: opened?.adapter?.name });
    expect(finished.resumedLayers).toBe(1);
    expect(await resultOf(args('whole.safetensors'))).toMatchObject({ resumedLayers: 0, loss: finished.loss });
    const whole = await readFile(join(folder, 'whole.safetensors'));
    expect((await readFile(join(folder, 'scores.safetensors'))).equals(whole)).toBe(true);
  });

  test.each([
    [
      'a tensor above what a kernel binds',
      { ofDevice: { maxStorageBufferBindingSize: 100 } },
      /espalier: The kernel element scores, .* needs \w+ of \d+ bytes at once, but a kernel of this device binds at most 100\. Use the cpu or wasm backend, or a smaller model\./,
    ],
    [
      'a tensor above what a buffer holds',
      { ofDevice: { maxBufferSize: 100 } },
      /espalier: The tensor float32 \[.*\] takes \d+ bytes, but a buffer of this device holds at most 100\. Use smaller batches, or the cpu or wasm backend\./,
    ],
    [
      'an adapter without a limit that is needed',
      { ofAdapter: { maxStorageBufferBindingSize: 2 ** 20 } },
      /espalier: The adapter abacus wooden offers a maxStorageBufferBindingSize of 1048576, but at least 134217728 is needed \(a kernel binds whole matrices\)\. Update its driver, or use another adapter or backend\./,
    ],
  ])('%s ends score with the numbers and a remedy, and leaves what was scored before', async (name, lacking, told) => {
    const output = `${name.replaceAll(' ', '-')}.safetensors`;
    const state = join(folder, `${output}.partial`);
    const watch = setInterval(() => {
      if (existsSync(state)) opened?.device.destroy();
    }, 5);
    expect((await runInside(args(output)).finally(() => clearInterval(watch))).code).toBe(1);
    const kept = await readFile(state);

    limits = lacking;
    const failed = await runInside(args(output));
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toMatch(told);
    expect((await readFile(state)).equals(kept)).toBe(true);
    expect(existsSync(join(folder, output))).toBe(false);
    expect(await resultOf(args(output))).toMatchObject({ resumedLayers: 1 });
  });

  test('--precision says what scoring computes in, and the result which it was', async () => {
    const half = [...args('half.safetensors'), '--precision', 'f16'];
    if (opened?.adapter?.halfPrecision) {
      expect(await resultOf(half)).toMatchObject({ precision: 'f16' });
      expect((await decodeScores(await readFile(join(folder, 'half.safetensors')))).engine.precision).toBe('f16');
    }
    expect(await resultOf(args('single.safetensors'))).toMatchObject({ precision: 'f32' });
    const refused = await runInside([...half, '--backend', 'cpu']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /Half precision \(f16\) was chosen for scoring, which Node CPU, \d+ threads? does not compute in\. Choose f32, or the webgpu backend on an adapter that has shader-f16\./,
    );
    const unknown = await runInside([...args('other.safetensors'), '--precision', 'half']);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain('--precision is "half"; choose f32, f16, auto.');
  });

  test('prune, evaluate, generate and compare give what the processor gives', async () => {
    const text = join(folder, 'text.txt');
    const on = async (backend: string) => {
      const output = join(folder, backend);
      const calibration = ['--calibration', text, '--windows', '4', '--length', '16', '--backend', backend];
      const pruned = await resultOf(['prune', model, ...calibration, '--ratio', '0.3', '--output', output]);
      const measured = await resultOf([
        'evaluate',
        output,
        '--text',
        text,
        '--max-tokens',
        '64',
        '--window',
        '16',
        '--backend',
        backend,
      ]);
      const written = await resultOf([
        'generate',
        output,
        '--prompt',
        'abc',
        '--max-new-tokens',
        '6',
        '--backend',
        backend,
      ]);
      const compared = await resultOf([
        ...['compare', model, ...calibration, '--methods', 'saap', '--ratios', '0.3', '--text', text],
        ...['--max-tokens', '64', '--window', '16'],
      ]);
      for (const result of [pruned, measured, written, compared]) expect(result.backend).toBe(backend);
      const [{ perplexity = Number.NaN } = {}] = Object.values(
        (compared.rows as { texts: Record<string, { perplexity: number }> }[]).at(-1)?.texts ?? {},
      );
      return {
        tokenIds: written.tokenIds,
        parameters: pruned.parametersAfter,
        perplexities: [Number(measured.perplexity), perplexity],
      };
    };
    const [card, processor] = [await on('webgpu'), await on('cpu')];
    expect(card.tokenIds).toEqual(processor.tokenIds);
    expect(card.parameters).toBe(processor.parameters);
    for (const [place, value] of processor.perplexities.entries())
      expect(Math.abs((card.perplexities[place] ?? Number.NaN) / value - 1)).toBeLessThan(1e-4);
  });

  test('--adapter list tells the adapters, with any command and as JSON', async () => {
    const told = await runInside(['generate', '--adapter', 'list']);
    expect(told).toMatchObject({ code: 0, stdout: expect.stringMatching(/\(\w+(, in software)?\)\n$/) });
    expect((await resultOf(['score', '--adapter'])).adapters).toEqual([
      expect.objectContaining({ name: expect.any(String), software: expect.any(Boolean) }),
    ]);
  });
});

/** An adapter that offers these limits, and of the others what is needed. */
function adapterWith(offered: Record<string, number>): GPUAdapter {
  return {
    info: { vendor: 'abacus', architecture: 'wooden', device: '', description: '' },
    limits: offered,
    features: new Set<string>(),
  } as unknown as GPUAdapter;
}
