import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeTinyModel } from '../cli/testing/tiny-model.ts';
import { createRuntime } from './create-runtime.ts';
import { generateTokens } from './generate.ts';
import { openModel } from './open.ts';

test('a process hears of signals and timers while WebAssembly writes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-breath-'));
  try {
    using runtime = await createRuntime({ backend: 'wasm', threads: 1 });
    using model = await openModel(await writeTinyModel(join(folder, 'tiny')), { runtime });
    let heard = 0;
    let timer: NodeJS.Timeout | undefined;
    for await (const _ of generateTokens(model, { prompt: 'a', maxNewTokens: 200 }))
      timer ??= setInterval(() => {
        heard += 1;
      }, 1);
    clearInterval(timer);
    expect(heard).toBeGreaterThan(0);
  } finally {
    await rm(folder, { recursive: true });
  }
});
