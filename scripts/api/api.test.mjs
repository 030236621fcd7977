import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkPackage, Package } from '@arethetypeswrong/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { undocumented, unnameable } from './check.mjs';
import { Declarations } from './declarations.mjs';
import { referencePage } from './reference.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MANIFEST = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const CACHE = join(ROOT, 'node_modules/.cache');
const ENTRIES = ['index', 'web', 'runtime/node'];

/** The declarations that are published, as whoever imports the library finds them. */
describe('the declarations of the library', () => {
  // Beside the packages, whose types the declarations may name.
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'api-'));
  const declarations = new Declarations();
  const tsc = (/** @type {string[]} */ ...options) =>
    spawnSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...options], {
      cwd: ROOT,
      encoding: 'utf8',
    });
  beforeAll(() => {
    expect(tsc('-p', 'tsconfig.library.json', '--outDir', folder)).toMatchObject({ stdout: '', status: 0 });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(ENTRIES)('%s: every type that can be reached can be named', (entry) => {
    expect(unnameable(declarations, join(folder, `${entry}.d.ts`))).toEqual([]);
  });

  test.each(ENTRIES)('%s: every declaration and every member has a doc comment', (entry) => {
    expect(declarations.exportsOf(join(folder, `${entry}.d.ts`)).size).toBeGreaterThan(
      entry === 'runtime/node' ? 1 : 100,
    );
    expect(undocumented(declarations, join(folder, `${entry}.d.ts`))).toEqual([]);
  });

  test('docs/reference.md says what the doc comments say', () => {
    const page = readFileSync(join(ROOT, 'docs/reference.md'), 'utf8');
    expect(page === referencePage(folder), 'run: node scripts/api/reference.mjs').toBe(true);
  });

  test('are found as the types of a package of modules, whoever resolves them', async () => {
    /** @type {Record<string, string>} */
    const files = {};
    const add = (/** @type {string} */ name, /** @type {string} */ text) => {
      files[`/node_modules/espalier/${name}`] = text;
    };
    add('package.json', JSON.stringify(MANIFEST));
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
      if (name.endsWith('.d.ts') && !name.startsWith('sample'))
        add(`dist/types/${name.replaceAll('\\', '/')}`, readFileSync(join(folder, name), 'utf8'));
    for (const { default: target } of Object.values(MANIFEST.exports)) if (target) add(target.slice(2), 'export {};');
    const { problems } = await checkPackage(new Package(files, 'espalier', MANIFEST.version));
    // Neither the oldest resolution, which knows no "exports", nor require(): the package is one of modules.
    const others = problems.filter(
      (problem) =>
        problem.kind !== 'CJSResolvesToESM' && !('resolutionKind' in problem && problem.resolutionKind === 'node10'),
    );
    expect(others).toEqual([]);
    expect(problems.length).toBeGreaterThan(others.length);
  });

  test('the checks find what they look for', () => {
    const sample = join(folder, 'sample');
    mkdirSync(sample);
    writeFileSync(
      join(sample, 'inner.d.ts'),
      'export interface Hidden { /** Of it. */ readonly a: Deep }\nexport interface Deep { readonly b: number }\n',
    );
    writeFileSync(
      join(sample, 'entry.d.ts'),
      "import type { Hidden } from './inner.ts';\n/** Told. */\nexport declare function f<T>(x: Hidden, t: T): void;\n/** Told. */\nexport interface Shown { readonly c: { readonly d: number }; /** @internal */ readonly e: 1 }\n",
    );
    const entry = join(sample, 'entry.d.ts');
    expect(unnameable(declarations, entry)).toEqual(['Deep, by Hidden', 'Hidden, by f']);
    expect(undocumented(declarations, entry)).toEqual(['Shown.c', 'Shown.c.d']);
  });

  test.each(['index', 'web'])('%s compiles in the strictest settings, its declarations too', (entry) => {
    const file = join(folder, `use-${entry}.ts`);
    writeFileSync(
      file,
      `import { generateTokens, openModel, type Plan, type GenerateOptions } from './${entry}.js';
       export const layers = (plan: Plan): number => plan.layers.length;
       export async function tell(options: GenerateOptions): Promise<string> {
         const model = await openModel('org/name', { backend: 'wasm', wasmPaths: '/ort/' });
         let text = '';
         for await (const token of generateTokens(model, options)) text += token.text;
         model.dispose();
         return text;
       }
       // @ts-expect-error what is not there cannot be given as undefined
       void openModel('org/name', { threads: undefined });\n`,
    );
    const strict = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--exactOptionalPropertyTypes'];
    const target = ['--target', 'es2023', '--lib', 'es2023,esnext.disposable,dom', '--types', ''];
    for (const module of [
      ['--module', 'nodenext'],
      ['--module', 'preserve', '--moduleResolution', 'bundler'],
    ]) {
      const { stdout } = tsc(...strict, '--ignoreConfig', '--noUncheckedIndexedAccess', ...target, ...module, file);
      expect(stdout).toBe('');
    }
  });
});
