import { describe, expect, test } from 'vitest';
import { brokenRules, importsOf } from './import-rules.mjs';

const broken = (path, source) => brokenRules([[path, source]]);

describe('import rules', () => {
  test('every form of import is seen', () => {
    const source = `import type { A } from './a.ts'; import b from 'b'; import './c.css'; export * from './d.ts'; export { e } from './e.ts'; const f = await import('./f.ts');`;
    expect(importsOf('x.ts', source).sort()).toEqual(['./a.ts', './c.css', './d.ts', './e.ts', './f.ts', 'b']);
  });

  test('TypeScript and JSX are parsed', () => {
    expect(importsOf('x.tsx', `import { a } from 'a'; export const X = <T,>(p: T) => <b>{a as string}</b>;`)).toEqual([
      'a',
    ]);
    expect(() => importsOf('x.ts', 'import {')).toThrow('x.ts does not parse');
  });

  test('imports point downward', () => {
    expect(
      broken(
        'importance/score.ts',
        `import { x } from '../architecture/x.ts'; import { y } from '../errors.ts'; import { z } from './z.ts';`,
      ),
    ).toEqual([]);
    expect(broken('onnx/write.ts', `import type { X } from '../operators/x.ts';`)).toEqual([
      'src/onnx/write.ts imports ../operators/x.ts: onnx is below operators, and imports point downward.',
    ]);
    expect(broken('errors.ts', `import { x } from './onnx/x.ts';`)).toHaveLength(1);
    expect(broken('worker/rpc.ts', `import { x } from '../studio/x.ts';`)).toHaveLength(1);
    expect(broken('studio/app.tsx', `import { x } from '../cli/x.ts';`)).toEqual([
      'src/studio/app.tsx imports ../cli/x.ts: studio and cli must not know each other.',
    ]);
    expect(broken('importance/score.ts', `import { x } from '../unknown/x.ts';`)).toHaveLength(1);
  });

  test('neighbours have an order too, for types as well', () => {
    expect(broken('importance/sums/x.ts', `import type { Plan } from '../../plan/plan.ts';`)).toEqual([
      'src/importance/sums/x.ts imports ../../plan/plan.ts: importance is below plan, and imports point downward.',
    ]);
    expect(broken('generate/decoder.ts', `import { x } from '../export/x.ts';`)).toHaveLength(1);
    expect(broken('checkpoint/x.ts', `import { x } from '../runtime/x.ts';`)).toHaveLength(1);
  });

  test('command line and worker call the verbs; of what is behind them they know types', () => {
    const verb = `import { score } from '../library/score.ts'; import { parseJsonRecord } from '../checkpoint/files/json.ts';`;
    const types = `import type { Plan } from '../plan/plan.ts'; import { type Recipe } from '../plan/recipe.ts'; export type { Scores } from '../importance/scores.ts';`;
    for (const shell of ['cli', 'worker']) {
      expect(broken(`${shell}/score.ts`, `${verb} ${types}`)).toEqual([]);
      expect(broken(`${shell}/score.ts`, `import { type Plan, makePlan } from '../plan/make-plan.ts';`)).toEqual([
        `src/${shell}/score.ts imports ../plan/make-plan.ts: ${shell} calls the verbs of library; of plan it may import types.`,
      ]);
      expect(broken(`${shell}/x.ts`, `await import('../export/disk.ts'); import '../surgery/slice.ts';`)).toHaveLength(
        2,
      );
      expect(broken(`${shell}/x.ts`, `export * from '../recovery/train.ts';`)).toHaveLength(1);
    }
    expect(broken('studio/x.ts', `import { makePlan } from '../plan/make-plan.ts';`)).toEqual([]);
  });

  test('circles of files are told once, those of types too', () => {
    const a = ['plan/a.ts', `import { b } from './b.ts';`];
    const b = ['plan/b.ts', `import type { C } from './c.ts'; import './d.ts';`];
    const c = ['plan/c.ts', `import { a } from './a.ts';`];
    const d = ['plan/d.ts', ''];
    expect(brokenRules([a, b, c, d])).toEqual([
      'src/plan/a.ts imports itself by way of plan/b.ts, plan/c.ts, plan/a.ts.',
    ]);
    expect(brokenRules([a, b, d, ['plan/c.ts', '']])).toEqual([]);
    expect(brokenRules([['plan/self.ts', `import { x } from './self.ts';`]])).toHaveLength(1);
  });

  test('packages stay where they belong', () => {
    expect(broken('studio/panels/app.tsx', `import { useState } from 'react';`)).toEqual([]);
    expect(broken('worker/rpc.ts', `import { useState } from 'react';`)).toHaveLength(1);
    expect(broken('runtime/web.ts', `import { env } from 'onnxruntime-web/webgpu';`)).toEqual([]);
    expect(broken('runtime/web.ts', `import { env } from 'onnxruntime-web';`)).toHaveLength(1);
    expect(broken('runtime/web.ts', `import { env } from 'onnxruntime-node';`)).toHaveLength(1);
    expect(broken('importance/score.ts', `import { env } from 'onnxruntime-web/webgpu';`)).toHaveLength(1);
    expect(broken('importance/score.ts', `const fs = await import('node:fs');`)).toEqual([
      'src/importance/score.ts imports node:fs: Node built-ins may not be imported there.',
    ]);
    expect(broken('cli/score.ts', `import { readFile } from 'node:fs/promises';`)).toEqual([]);
  });

  test('tests are free, their helpers stay with them', () => {
    expect(broken('onnx/write.test.ts', `import { x } from '../runtime/node.ts';`)).toEqual([]);
    expect(broken('importance/testing/reference.ts', `import { readFileSync } from 'node:fs';`)).toEqual([]);
    expect(broken('importance/score.ts', `import { x } from './testing/reference.ts';`)).toHaveLength(1);
  });
});
