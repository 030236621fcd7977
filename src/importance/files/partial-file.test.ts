import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memorySource } from '../../checkpoint/files/memory.ts';
import { PartialWriter } from '../../cli/partial-writer.ts';
import { FileFormatError } from '../../errors.ts';
import { randomLlama } from '../../export/testing/random-llama.ts';
import { OpenModel } from '../../library/open-model.ts';
import { scoreShard } from '../../library/score-shard.ts';
import { createNodeRuntime } from '../../runtime/node.ts';
import type { LayerPartial } from '../sums/shards.ts';
import { openPartial, type PartialInfo } from './partial-file.ts';

/** A shard of a model whose layers differ in width, one of them removed. */
const widths = [
  { keyValueHeads: 2, neurons: 5 },
  { keyValueHeads: 0, neurons: 0 },
  { keyValueHeads: 1, neurons: 3 },
];
let folder: string;
let bytes: Uint8Array;
let info: PartialInfo;
const layers: LayerPartial[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-partial-'));
  using runtime = await createNodeRuntime({ threads: 1 });
  using open = new OpenModel(
    runtime,
    randomLlama({ hiddenSize: 8, headDimension: 4, neurons: 5, vocabulary: 16, widths }),
  );
  const writer = new PartialWriter(join(folder, 'part'));
  const windows = Array.from({ length: 5 }, (_, start) =>
    Int32Array.from({ length: 4 }, (__, i) => (start + 3 * i) % 16),
  );
  const options = {
    windows,
    calibration: { source: 'drawn', sha256: '1'.repeat(64), seed: 0 },
    shard: { index: 1, count: 2 },
  };
  ({ info } = await scoreShard(open, options, {
    start: (before) => writer.start(before),
    layer: async (index, partial) => {
      layers[index] = partial;
      await writer.layer(index, partial);
    },
  }));
  expect(await readdir(folder)).not.toContain('part');
  const size = await writer.finish(info);
  bytes = new Uint8Array(await readFile(join(folder, 'part')));
  expect(size).toBe(bytes.length);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const read = (file: Uint8Array) => openPartial(memorySource('part', file));

describe('the file of a shard', () => {
  it('comes back as it was', async () => {
    const file = await read(bytes);
    expect(file.info).toEqual(info);
    expect(info).toMatchObject({
      shard: { index: 1, count: 2 },
      windows: 3,
      rows: 12,
      calibration: { windows: 5, tokens: 9 },
    });
    expect(info.structures.map((structures) => structures.length)).toEqual([2, 0, 2]);
    for (const [index, partial] of layers.entries()) expect(await file.layer(index)).toEqual(partial);
  });

  it('says what is wrong with it when it is another one', async () => {
    const changed = (from: string, to: string) => {
      const text = Buffer.from(bytes).toString('latin1');
      expect(text).toContain(from);
      expect(to.length).toBe(from.length);
      return read(new Uint8Array(Buffer.from(text.replace(from, to), 'latin1')));
    };
    await expect(changed('espalier-partial-scores/1', 'espalier-partial-scores/2')).rejects.toThrow(
      '"espalier-partial-scores/1" is expected',
    );
    await expect(changed('\\"index\\":1', '\\"index\\":x')).rejects.toThrow(FileFormatError);
    await expect(changed('\\"count\\":2', '\\"count\\":-')).rejects.toThrow(FileFormatError);
    await expect(changed('\\"fisher\\"', '\\"fishes\\"')).rejects.toThrow('which is no metric');
    await expect(changed('"I32"', '"F32"')).rejects.toThrow('of type I32');
    const odd = await changed('layers.0.sums.joint-squares/mlp', 'layers.0.sums.joint-squares/mlq');
    await expect(odd.layer(0)).rejects.toThrow('the layer has no such sum');
  });

  it('is read or refused with one class of error, whatever is done to its bytes', async () => {
    const header = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ place: fc.nat({ max: header + 40 }), byte: fc.nat({ max: 255 }) }), { maxLength: 3 }),
        fc.option(fc.nat({ max: bytes.length })),
        async (changes, length) => {
          const file = bytes.slice(0, length ?? bytes.length);
          for (const { place, byte } of changes) if (place < file.length) file[place] = byte;
          try {
            const opened = await read(file);
            for (let layer = 0; layer < 3; layer++) await opened.layer(layer);
          } catch (error) {
            expect(error).toBeInstanceOf(FileFormatError);
          }
        },
      ),
      { numRuns: 300, seed: 3 },
    );
  });
});

it('leaves nothing when it is given up, folders included', async () => {
  const writer = new PartialWriter(join(folder, 'deep/down/part'));
  await writer.start(info);
  await writer.layer(0, layers[0] as LayerPartial);
  await writer.discard();
  expect(await readdir(folder)).toEqual(['part']);
  await expect(writer.finish(info)).rejects.toThrow('call start first');
});
