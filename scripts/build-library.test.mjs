import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildLibrary } from './build-library.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const FOLDER = join(ROOT, 'node_modules/.cache/espalier-build-test');

describe('the built library', () => {
  beforeAll(() => buildLibrary(FOLDER));
  afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

  const sources = () =>
    readdirSync(FOLDER, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));

  /** Runs a module of ESM text in a plain Node process from the repository, where packages are found. */
  const run = (code) =>
    spawnSync(process.execPath, ['--input-type=module', '--eval', code], { cwd: ROOT, encoding: 'utf8' });

  test('leaves packages outside', () => {
    expect(sources().some((text) => /(from |import\()["']onnxruntime-node["']/.test(text))).toBe(true);
    expect(Math.max(...sources().map(({ length }) => length))).toBeLessThan(2_000_000);
  });

  test('is free of syntax that Node 20 does not know', () => {
    for (const text of sources()) expect(text).not.toMatch(/^\s*(await )?using \w+ =/m);
  });

  test('computes in plain Node', () => {
    const code = `
      import { METRICS } from '${FOLDER}/index.js';
      import { createNodeRuntime } from '${FOLDER}/runtime/node.js';
      const runtime = await createNodeRuntime({ threads: 1 });
      console.log(METRICS[0], runtime.description);
      runtime.dispose();`;
    expect(run(code)).toMatchObject({ stdout: 'vector Node CPU, 1 thread\n', status: 0 });
  });

  test('starts as a command, and refuses wrong usage with 2', () => {
    const main = (...args) =>
      run(
        `const { main } = await import('${FOLDER}/cli/main.js'); process.exitCode = await main(${JSON.stringify(args)});`,
      );
    expect(main('--version')).toMatchObject({ stdout: `${version}\n`, status: 0 });
    expect(main('no-such-command').status).toBe(2);
  });
});
