import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CONFIG, caseIntegers, encode, hostileFormats, readAll, SAFETENSORS, survives } from './testing/hostile.ts';

/** Damaged files to try per kind; `node scripts/fuzz.mjs` tries as many as one likes. Each run tries the same files. */
const CASES = 300;
const TIMEOUT_MS = 180_000;

const fixtures = join(import.meta.dirname, 'fixtures');
const formats = await hostileFormats(fixtures, join(import.meta.dirname, '../architecture/fixtures'));

describe('damaged files end in a sentence, never in a crash, a hang or a huge allocation', () => {
  test.each(formats)(
    '$name',
    async ({ name, attempt }) => {
      let accepted = 0;
      for (let index = 0; index < CASES; index += 1) {
        if (await survives(`${name} ${index}`, () => attempt(caseIntegers(0, index), index))) accepted += 1;
      }
      expect(accepted).toBeLessThan(CASES);
    },
    TIMEOUT_MS,
  );

  test('a file cut anywhere is refused', async () => {
    for (let length = 0; length < SAFETENSORS.length; length += 1) {
      expect(
        await survives(`cut at ${length}`, () =>
          readAll({ 'config.json': encode(CONFIG), 'model.safetensors': SAFETENSORS.slice(0, length) }),
        ),
      ).toBe(false);
    }
    const gguf = new Uint8Array(await readFile(join(fixtures, 'gguf', 'qwen2.gguf')));
    for (let length = 0; length < gguf.length; length += length < 800 ? 1 : 97) {
      expect(await survives(`cut at ${length}`, () => readAll({ 'm.gguf': gguf.slice(0, length) }))).toBe(false);
    }
  });
});
