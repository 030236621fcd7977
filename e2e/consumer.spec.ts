import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { build, preview } from 'vite';
import { tinyText, writeTinyModel } from '../src/cli/testing/tiny-model.ts';
import { MAIN, PAGE } from './consumer-page.ts';
import { ConsumerProject } from './consumer-project.ts';

/** What an installation may take, in bytes: the package, and what it needs. With onnxruntime-node, which is installed on request, there are 290 MB more. */
const LARGEST_INSTALLATION = 100_000_000;
const LARGEST_TARBALL = 28_000_000;

test.describe.configure({ mode: 'serial' });

test.describe('in a project of somebody else', () => {
  let project: ConsumerProject;
  test.beforeAll(async () => {
    project = new ConsumerProject();
    await writeTinyModel(project.path('tiny'));
  });
  test.afterAll(() => project?.remove());

  /** Runs a command that must succeed; the document that it prints. */
  const told = (...words: string[]) => {
    const { stdout, stderr, status } = project.espalier([...words, '--json', '--quiet']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return JSON.parse(stdout) as Record<string, unknown>;
  };

  test('is small, and as publint wants it', async () => {
    expect(project.packedBytes).toBeLessThan(LARGEST_TARBALL);
    expect(project.installedBytes()).toBeLessThan(LARGEST_INSTALLATION);
    const { messages, pkg } = await publint({
      pkgDir: project.path('node_modules/espalier'),
      strict: true,
      pack: false,
    });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  test('computes on WebAssembly where onnxruntime-node is not installed, and says how it is', () => {
    const { stdout, stderr, status } = project.espalier([
      'generate',
      'stories',
      '--prompt',
      'Once',
      '--max-new-tokens',
      '2',
    ]);
    expect(stderr).toContain('Computing on WebAssembly, on one thread.');
    expect(stderr).toContain('npm install onnxruntime-node@1.30.0 --ignore-scripts');
    expect({ status, begins: stdout.startsWith('Once') }).toEqual({ status: 0, begins: true });
    const refused = project.espalier(['generate', 'stories', '--prompt', 'Once', '--backend', 'cpu']);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('needs the package onnxruntime-node') });
    project.add('onnxruntime-node');
  });

  test('runs every verb by its command', () => {
    project.write('text.txt', tinyText(4000));
    const at = (name: string) => project.path(name);
    const calibration = ['--calibration', at('text.txt'), '--windows', '8', '--length', '16', '--threads', '1'];
    const text = ['--text', at('text.txt'), '--window', '16', '--max-tokens', '160', '--threads', '1'];
    expect(told('inspect', at('tiny'))).toMatchObject({ architecture: 'llama' });
    for (const shard of ['0/2', '1/2'])
      told('score', at('tiny'), ...calibration, '--shard', shard, '--output', at(`part-${shard[0]}`));
    told('merge-scores', at('part-0'), at('part-1'), '--output', at('scores.safetensors'));
    told('score', at('tiny'), ...calibration, '--output', at('whole.safetensors'));
    told('plan', at('scores.safetensors'), '--ratio', '0.3', '--output', at('plan.json'));
    told('prune', at('tiny'), '--plan', at('plan.json'), ...calibration, '--output', at('pruned'));
    expect(told('evaluate', at('pruned'), ...text).perplexity).toBeGreaterThan(1);
    expect(
      told('generate', at('pruned'), '--prompt', 'a b', '--max-new-tokens', '3', '--threads', '1').tokenIds,
    ).toHaveLength(3);
    const compared = told(
      'compare',
      at('tiny'),
      '--methods',
      'saap',
      '--ratios',
      '0.3',
      ...text,
      ...calibration.slice(0, -2),
    );
    expect(compared.rows).toHaveLength(2);
    const training = ['--data', at('text.txt'), '--window', '16', '--steps', '2', '--threads', '1'];
    expect(told('recover', at('tiny'), ...training, '--output', at('recovered')).steps).toBe(2);
  });

  test('is a library with types, for Node, for bundlers and for pages', () => {
    project.write(
      'node.mjs',
      `import { openModel, score, plan, prune, evaluate, generate, VERSION } from 'espalier';
      import { createNodeRuntime } from 'espalier/node';
      const model = await openModel('stories', { threads: 1 });
      const { text } = await generate(model, { prompt: 'Once upon a time', maxNewTokens: 3 });
      model.dispose();
      console.log(text.length > 0, VERSION, [score, plan, prune, evaluate, createNodeRuntime].every((verb) => typeof verb === 'function'));`,
    );
    const { stdout, stderr } = project.node(['node.mjs']);
    expect({ stdout, stderr }).toEqual({
      stdout: `true ${JSON.parse(readFileSync('package.json', 'utf8')).version} true\n`,
      stderr: '',
    });

    project.write(
      'main.ts',
      `import { type Plan, openModel, score } from 'espalier';
      import { createNodeRuntime } from 'espalier/node';
      export const verbs: [typeof score, typeof createNodeRuntime] = [score, createNodeRuntime];
      export const layers = (plan: Plan): number => plan.layers.length;
      // @ts-expect-error a model is opened by its name
      void openModel(1);`,
    );
    project.write(
      'page.ts',
      `import { type Plan, createWebRuntime, openModel, score } from 'espalier/web';
      export const verbs: [typeof score, typeof createWebRuntime] = [score, createWebRuntime];
      export const layers = (plan: Plan): number => plan.layers.length;
      // @ts-expect-error a model is opened by its name
      void openModel(1);`,
    );
    const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2023'];
    const compile = (...words: string[]) =>
      project.node([resolve('node_modules/typescript/bin/tsc'), ...strict, ...words]).stdout;
    const lib = ['--lib', 'es2023,esnext.disposable,dom,dom.asynciterable'];
    expect(compile('--module', 'nodenext', ...lib, 'main.ts')).toBe('');
    expect(compile('--module', 'esnext', '--moduleResolution', 'bundler', ...lib, 'main.ts')).toBe('');
    expect(compile('--module', 'esnext', '--moduleResolution', 'bundler', ...lib, 'page.ts')).toBe('');
  });

  test('serves the studio that is in the package, with the licences of what it is made of', async ({ page }) => {
    await project.withStudio(async (url) => {
      for (const file of ['ort/ort-wasm-simd-threaded.jspi.wasm', 'models/stories/config.json'])
        expect((await fetch(new URL(file, url))).status, file).toBe(200);
      const licences = await (await fetch(new URL('licences.txt', url))).text();
      for (const name of ['react-dom', 'd3-scale', 'onnxruntime-web', 'SIL Open Font License'])
        expect(licences).toContain(name);
      await page.goto(url);
      await expect(page.getByRole('slider').first()).toBeVisible();
    });
  });

  test('prunes a dropped model in a page that Vite bundles', async ({ page }) => {
    project.write('app/index.html', PAGE);
    project.write('app/main.js', MAIN);
    const root = project.path('app');
    const warnings: string[] = [];
    await build({
      root,
      configFile: false,
      logLevel: 'warn',
      build: {
        target: 'es2023',
        chunkSizeWarningLimit: 2000,
        // How long plugins took is no matter of the package.
        rolldownOptions: { onwarn: ({ code, message = '' }) => code !== 'PLUGIN_TIMINGS' && warnings.push(message) },
      },
    });
    expect(warnings).toEqual([]);
    const server = await preview({
      root,
      configFile: false,
      logLevel: 'silent',
      preview: { port: 0, host: 'localhost' },
    });
    try {
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(String(error)));
      await page.goto(server.resolvedUrls?.local[0] ?? '');
      const files = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'].map((name) => ({
        name: basename(name),
        base64: readFileSync(resolve(project.path('tiny'), name)).toString('base64'),
      }));
      await page.evaluate(
        ({ files, text }) => {
          const transfer = new DataTransfer();
          for (const { name, base64 } of files)
            transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name));
          Object.assign(globalThis, { text });
          document.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, cancelable: true }));
        },
        { files, text: tinyText(400) },
      );
      await page.waitForFunction(() => 'result' in globalThis, undefined, { timeout: 240_000 });
      const result = await page.evaluate(() => (globalThis as unknown as { result: Record<string, unknown> }).result);
      expect(result).toMatchObject({
        backend: expect.stringContaining('WebAssembly'),
        files: expect.arrayContaining(['onnx/model.onnx']),
      });
      expect(result.parametersAfter).toBeLessThan(result.parametersBefore as number);
      expect(result.perplexity).toBeGreaterThan(1);
      expect(problems).toEqual([]);
    } finally {
      await server.close();
    }
  });
});
