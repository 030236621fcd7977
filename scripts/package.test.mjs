import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** The package as somebody gets it, in a folder where nothing but its own dependencies can be found. */
describe('the published package', () => {
  const project = realpathSync(mkdtempSync(join(tmpdir(), 'espalier-package-')));
  const installed = join(project, 'node_modules/espalier');

  beforeAll(() => {
    mkdirSync(installed, { recursive: true });
    // The working directory is another, as it may be.
    expect(node([join(ROOT, 'scripts/build.mjs')], tmpdir())).toMatchObject({ stderr: '', status: 0 });
    for (const name of ['package.json', 'bin', 'LICENSE', 'README.md', 'dist'])
      cpSync(join(ROOT, name), join(installed, name), { recursive: true });
    for (const name of [...Object.keys(manifest.dependencies), 'onnxruntime-node']) {
      mkdirSync(dirname(join(project, 'node_modules', name)), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules', name), join(project, 'node_modules', name));
    }
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  });
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  /** @param {string[]} words */
  const node = (words, cwd = project) => spawnSync(process.execPath, words, { cwd, encoding: 'utf8' });

  test('is as publint wants it', async () => {
    const { messages, pkg } = await publint({ pkgDir: installed, strict: true, pack: false });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  test('inspects a model by its command', () => {
    const { stdout, stderr, status } = node(['node_modules/espalier/bin/espalier.js', 'inspect', 'stories', '--json']);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(JSON.parse(stdout)).toMatchObject({ architecture: 'llama' });
  });

  test('is imported as a library, on its own and with each runtime', () => {
    writeFileSync(
      join(project, 'main.js'),
      `import { openModel, VERSION } from 'espalier';
       import { createNodeRuntime } from 'espalier/node';
       import { createWebRuntime } from 'espalier/web';
       (await openModel('stories')).dispose();
       console.log(typeof createNodeRuntime, typeof createWebRuntime, VERSION);`,
    );
    const { stdout, stderr, status } = node(['main.js']);
    expect({ stdout, stderr, status }).toEqual({
      stdout: `function function ${manifest.version}\n`,
      stderr: '',
      status: 0,
    });
  });
  test('has types for whoever imports it', () => {
    writeFileSync(
      join(project, 'main.ts'),
      `import { type Plan, openModel, score } from 'espalier';
       import { createNodeRuntime } from 'espalier/node';
       export const verbs: [typeof score, typeof createNodeRuntime] = [score, createNodeRuntime];
       export const layers = (plan: Plan): number => plan.layers.length;
       // @ts-expect-error a model is opened by its name
       void openModel(1);`,
    );
    const check = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2023'];
    const { stdout, status } = node([join(ROOT, 'node_modules/typescript/bin/tsc'), ...check, 'main.ts']);
    expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
  });
});
