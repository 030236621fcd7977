import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memorySource } from '../../checkpoint/files/memory.ts';
import { SumsFileWriter } from '../../cli/sums-file-writer.ts';
import { FileFormatError, MismatchError } from '../../errors.ts';
import { randomLlama } from '../../export/testing/random-llama.ts';
import { mergeScores } from '../../library/merge-scores.ts';
import { OpenModel } from '../../library/open-model.ts';
import { scoreShard } from '../../library/score-shard.ts';
import { createNodeRuntime } from '../../runtime/node.ts';
import type { LayerSums } from '../sums/layer-sums.ts';
import { openSumsFile, type SumsInfo } from './sums-file.ts';

/** A shard of a model whose layers differ in width, one of them removed. */
const widths = [
  { keyValueHeads: 2, neurons: 5 },
  { keyValueHeads: 0, neurons: 0 },
  { keyValueHeads: 1, neurons: 3 },
];
let folder: string;
let bytes: Uint8Array;
let info: SumsInfo;
let losses: readonly number[] = [];
const layers: LayerSums[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-partial-'));
  using runtime = await createNodeRuntime({ threads: 1 });
  using open = new OpenModel(
    runtime,
    randomLlama({ hiddenSize: 8, headDimension: 4, neurons: 5, vocabulary: 16, widths }),
  );
  const writer = new SumsFileWriter(join(folder, 'part'));
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
    layer: async (index, sums) => {
      layers[index] = sums;
      await writer.layer(index, sums);
    },
    finish: (values) => {
      losses = values;
      return writer.finish(values);
    },
  }));
  expect(await readdir(folder)).not.toContain('part');
  await writer.publish();
  bytes = new Uint8Array(await readFile(join(folder, 'part')));
  expect(writer.bytes).toBe(bytes.length);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const read = (file: Uint8Array) => openSumsFile(memorySource('part', file));

describe('the file of a shard', () => {
  it('comes back as it was', async () => {
    const file = await read(bytes);
    const { layouts, ...said } = file.info;
    const { layouts: expected, ...rest } = info;
    expect(said).toEqual(rest);
    expect(layouts.map(({ structures }) => structures)).toEqual(expected.map(({ structures }) => structures));
    expect(file.unfinished).toBeUndefined();
    expect([...(await file.losses())]).toEqual(losses);
    expect(info).toMatchObject({
      shard: { index: 1, count: 2 },
      windows: 3,
      rows: 12,
      calibration: { windows: 5 },
    });
    expect(info.layouts.map(({ structures }) => structures.length)).toEqual([2, 0, 2]);
    for (const [index, sums] of layers.entries()) {
      const found = await file.layer(index);
      expect(new Map([...found.tensors()].sort())).toEqual(new Map([...sums.tensors()].sort()));
      expect([found.windows, found.rows]).toEqual([3, 12]);
    }
  });

  it('does not join one that was computed in another precision', async () => {
    const file = await read(bytes);
    const { engine } = file.info;
    const half: SumsInfo = { ...file.info, shard: { index: 0, count: 2 }, engine: { ...engine, precision: 'f16' } };
    const joined = mergeScores([{ ...file, name: 'half', info: half }, file]);
    await expect(joined).rejects.toThrow(MismatchError);
    await expect(joined).rejects.toThrow('half and part are of different runs: the precision is "f16" and "f32".');
  });

  it('says what is wrong with it when it is another one', async () => {
    const changed = (from: string, to: string) => {
      const text = Buffer.from(bytes).toString('latin1');
      expect(text).toContain(from);
      expect(to.length).toBe(from.length);
      return read(new Uint8Array(Buffer.from(text.replace(from, to), 'latin1')));
    };
    await expect(changed('espalier-sums/1', 'espalier-sums/2')).rejects.toThrow('"espalier-sums/1" is expected');
    await expect(changed('\\"index\\":1', '\\"index\\":x')).rejects.toThrow(FileFormatError);
    await expect(changed('\\"count\\":2', '\\"count\\":-')).rejects.toThrow(FileFormatError);
    await expect(changed('\\"fisher\\"', '\\"fishes\\"')).rejects.toThrow('which is no metric');
    await expect(changed('"I32"', '"F32"')).rejects.toThrow('of type I32');
    await expect(changed('layers.0.joint-squares/mlp', 'layers.0.joint-squares/mlq')).rejects.toThrow(
      'there is no such sum',
    );
    await expect(
      changed('\\"groups\\":5,\\"parametersPerGroup\\":24,\\"mem', '\\"groups\\":9,\\"parametersPerGroup\\":24,\\"mem'),
    ).rejects.toThrow(/F64 \[9\] is expected/);
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
  const writer = new SumsFileWriter(join(folder, 'deep/down/part'));
  await writer.start(info);
  await writer.layer(0, layers[0] as LayerSums);
  await writer.discard();
  expect(await readdir(folder)).toEqual(['part']);
  await expect(writer.publish()).rejects.toThrow('call start first');
});

it('refuses what was not declared, and a file that is not complete', async () => {
  const writer = new SumsFileWriter(join(folder, 'odd'));
  await writer.start(info);
  await expect(writer.finish(losses)).rejects.toThrow(/"layers\.[0-9]\..*" was declared and never written/);
  await expect(writer.layer(1, layers[0] as LayerSums)).rejects.toThrow(/was not declared so/);
  await writer.discard();
  expect(await readdir(folder)).toEqual(['part']);
});
