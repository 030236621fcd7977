import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeOnWebGpu, GPU_TIMEOUT } from '../runtime/testing/webgpu.ts';
import type { WebGpuRuntime } from '../runtime/webgpu-runtime.ts';
import { resultOf, runInside } from './testing/run.ts';
import { tinyText, writeTinyModel } from './testing/tiny-model.ts';

/** The runtime that the command opened last. */
let opened: WebGpuRuntime | undefined;
vi.mock('../runtime/node-webgpu.ts', async (original) => {
  const module = await original<typeof import('../runtime/node-webgpu.ts')>();
  return {
    ...module,
    createNodeWebGpuRuntime: async (options: { readonly adapter?: string }) => {
      opened = await module.createNodeWebGpuRuntime(options);
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
