import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../checkpoint/formats/safetensors/safetensors-write.ts';
import { FileFormatError, MismatchError } from '../../errors.ts';
import { METRICS, type Scores } from '../sums/scores.ts';
import { syntheticScores } from '../testing/synthetic-scores.ts';
import { decodeScores, encodeScores } from './score-file.ts';

const scores = syntheticScores({ layers: 3, attentionGroups: 2, neurons: 9 });
const bytes = encodeScores(scores);

/** The file taken apart by hand: header, and where the data begin. */
function header(file: Uint8Array): {
  json: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  metadata: Record<string, string>;
  start: number;
} {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const { __metadata__: metadata, ...json } = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  return { json, metadata, start: 8 + length };
}

/** A score file with changed metadata and no tensors but those given. */
function withMetadata(
  changes: Record<string, string>,
  tensors: Parameters<typeof writeSafetensors>[0] = new Map(),
): Uint8Array {
  return writeSafetensors(tensors, { ...header(bytes).metadata, ...changes });
}

describe('score file', () => {
  it('comes back as it was', async () => {
    expect(await decodeScores(bytes)).toEqual(scores);
    const revised: Scores = { ...scores, model: { ...scores.model, revision: 'abc' } };
    expect(await decodeScores(encodeScores(revised))).toEqual(revised);
    const half: Scores = { ...scores, engine: { ...scores.engine, precision: 'f16' } };
    expect(await decodeScores(encodeScores(half))).toEqual(half);
  });

  it('comes back from a Buffer of Node, a part of a pool of memory, too', async () => {
    expect(await decodeScores(Buffer.concat([Buffer.from('before'), bytes]).subarray(6))).toEqual(
      await decodeScores(bytes),
    );
  });

  it('has the agreed tensors and metadata, and the same bytes every time', () => {
    const { json, metadata, start } = header(bytes);
    expect(Object.keys(json).length).toBe(3 * 2 * METRICS.length);
    const entry = json['layers.1.mlp.fisher'];
    expect(entry?.dtype).toBe('F32');
    expect(entry?.shape).toEqual([9]);
    const [from = 0] = entry?.data_offsets ?? [];
    expect(new DataView(bytes.buffer).getFloat32(start + from + 4 * 5, true)).toBe(scores.layers[1]?.mlp.fisher?.[5]);
    expect(metadata.format).toBe('espalier-scores/1');
    expect(JSON.parse(metadata.model ?? '')).toMatchObject({
      name: 'synthetic',
      sha256: '0'.repeat(64),
      config: { hidden_size: 64 },
    });
    expect(JSON.parse(metadata.calibration ?? '')).toMatchObject({ windows: 8, length: 64, seed: 0 });
    expect(JSON.parse(metadata.groups ?? '')).toEqual(scores.groups);
    expect(JSON.parse(metadata.engine ?? '')).toEqual({ version: '0.1.0', backend: 'cpu' });
    // Metrics that arrive in another order change nothing.
    const reversed = (record: object) => Object.fromEntries(Object.entries(record).reverse());
    const again = {
      ...scores,
      layers: scores.layers.map(({ attention, mlp }) => ({ mlp: reversed(mlp), attention: reversed(attention) })),
    };
    expect(encodeScores(again)).toEqual(bytes);
  });

  it('refuses to write what it would refuse to read', () => {
    const broken = (module: object) =>
      ({ ...scores, layers: [{ attention: {}, mlp: module }, ...scores.layers.slice(1)] }) as Scores;
    expect(() => encodeScores(broken({ fisher: new Float32Array(3) }))).toThrow(MismatchError);
    expect(() => encodeScores(broken({ fisher: new Float32Array(9).fill(Number.NaN) }))).toThrow(
      '"layers.0.mlp.fisher" is NaN at group 0',
    );
  });

  it.each<[string, () => Uint8Array]>([
    ['"espalier-scores/1" is expected', () => withMetadata({ format: 'pt' })],
    ['"espalier-scores/1" is expected', () => writeSafetensors(new Map())],
    ['groups of The score file is not valid JSON', () => withMetadata({ groups: '[' })],
    ['the metadata "groups" is missing or no list', () => withMetadata({ groups: '{}' })],
    [
      'groups[0].mlp.groups is -1',
      () =>
        withMetadata({
          groups: '[{"attention":{"groups":1,"parametersPerGroup":1},"mlp":{"groups":-1,"parametersPerGroup":1}}]',
        }),
    ],
    ['groups[0].attention" is missing', () => withMetadata({ groups: '[null]' })],
    [
      'engine.precision is "f8"; it must be f16, or be left out',
      () =>
        withMetadata({
          engine: JSON.stringify({ ...JSON.parse(header(bytes).metadata.engine ?? ''), precision: 'f8' }),
        }),
    ],
    ['the metadata "model" is missing', () => withMetadata({ model: 'null' })],
    ['model.config" is missing', () => withMetadata({ model: '{"name":"a","sha256":"","parameters":1}' })],
    [
      'calibration.loss is missing',
      () => withMetadata({ calibration: '{"source":"a","sha256":"","windows":1,"length":1,"seed":1,"tokens":1}' }),
    ],
    [
      '"layers.0.mlp.fisher" is F32 [2]; F32 [9] is expected',
      () =>
        withMetadata({}, new Map([['layers.0.mlp.fisher', { dtype: 'F32', shape: [2], data: new Float32Array(2) }]])),
    ],
    [
      '"layers.0.mlp.fisher" is F16 [9]',
      () =>
        withMetadata({}, new Map([['layers.0.mlp.fisher', { dtype: 'F16', shape: [9], data: new Uint16Array(9) }]])),
    ],
    [
      'is Infinity at group 1',
      () =>
        withMetadata(
          {},
          new Map([
            [
              'layers.0.attention.fisher',
              { dtype: 'F32', shape: [2], data: Float32Array.of(0, Number.POSITIVE_INFINITY) },
            ],
          ]),
        ),
    ],
    [
      'has scores for layer 3, but groups for 3 layers',
      () =>
        withMetadata({}, new Map([['layers.3.mlp.fisher', { dtype: 'F32', shape: [9], data: new Float32Array(9) }]])),
    ],
    [
      'has the tensor "layers.0.mlp.fishers"',
      () =>
        withMetadata({}, new Map([['layers.0.mlp.fishers', { dtype: 'F32', shape: [9], data: new Float32Array(9) }]])),
    ],
    [
      'has the tensor "model.weight"',
      () => withMetadata({}, new Map([['model.weight', { dtype: 'F32', shape: [9], data: new Float32Array(9) }]])),
    ],
    ['truncated', () => bytes.slice(0, bytes.length - 3)],
    ['truncated', () => new Uint8Array(3)],
  ])('refuses: %s', async (message, make) => {
    await expect(decodeScores(make())).rejects.toThrow(message);
    await expect(decodeScores(make())).rejects.toThrow(FileFormatError);
  });

  it('meets damaged bytes with FileFormatError or scores that are whole, never anything else', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(bytes.length),
        async (changes, length) => {
          const damaged = bytes.slice();
          for (const [position, byte] of changes) damaged[position] = byte;
          for (const file of [damaged, damaged.slice(0, length)]) {
            try {
              encodeScores(await decodeScores(file));
            } catch (error) {
              expect(error).toBeInstanceOf(FileFormatError);
            }
          }
        },
      ),
      { numRuns: 1500 },
    );
  });
});

describe('a score file that the safetensors package of Python wrote', () => {
  const python = new Uint8Array(readFileSync(join(import.meta.dirname, '../fixtures/python.safetensors')));

  it('is read, and written again with the same tensors and metadata', async () => {
    const read = await decodeScores(python);
    expect(read.layers[1]?.mlp.fisher).toEqual(Float32Array.of(1, 2, 3, 4, 5).map((value) => value / 5));
    expect(read.groups).toHaveLength(2);
    const written = encodeScores(read);
    const [theirs, ours] = [header(python), header(written)];
    expect(ours.metadata).toEqual(theirs.metadata);
    const contents = (file: Uint8Array, { json, start }: ReturnType<typeof header>) =>
      Object.fromEntries(
        Object.entries(json).map(
          ([
            name,
            {
              dtype,
              shape,
              data_offsets: [from, to],
            },
          ]) => [name, { dtype, shape, bytes: file.slice(start + from, start + to) }],
        ),
      );
    expect(contents(written, ours)).toEqual(contents(python, theirs));
  });
});
