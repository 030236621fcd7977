import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import {
  AttributeProto_AttributeType as AttributeType,
  ModelProtoSchema,
  TensorProto_DataType as Type,
} from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { FileFormatError, UnsupportedError } from '../errors.ts';
import { GraphBuilder } from './builder.ts';
import type { Graph } from './graph.ts';
import { readModel } from './read.ts';
import { arbitraryGraph } from './testing/arbitrary-graph.ts';
import { writeModel } from './write.ts';

/** Damaged files to try; more for a longer search. Each run of the same number tries the same files. */
const CASES = Number(process.env.ESPALIER_FUZZ_CASES ?? 5000);
const TIMEOUT_MS = 60_000 + 2 * CASES;

function layer(): Graph {
  const builder = new GraphBuilder('layer');
  const x = builder.input('x', 'float32', ['rows', 8]);
  const logits = builder.add('Gemm', [x, builder.constant(Array(32).fill(0.5), [4, 8])], { transB: 1 });
  builder.output(builder.add('Softmax', [logits], { axis: -1 }), 'float32', ['rows', 4], 'y');
  return builder.build({ purpose: 'fuzz' });
}

/** A model as other exporters write it: typed element fields, value types, a nested graph. */
function foreignModel(): Uint8Array {
  const type = { value: { case: 'tensorType' as const, value: { elemType: Type.FLOAT, shape: { dim: [{}] } } } };
  const branch = {
    name: 'then_branch',
    type: AttributeType.GRAPH,
    g: { node: [{ opType: 'Neg', input: ['w'], output: ['v'] }] },
  };
  const initializer = [
    { name: 'w', dims: [3n], dataType: Type.FLOAT, floatData: [1, 2, 3] },
    { name: 'i', dims: [2n], dataType: Type.INT64, int64Data: [-1n, 1n << 40n] },
    {
      name: 'e',
      dims: [2n],
      dataType: Type.FLOAT16,
      dataLocation: 1,
      externalData: [{ key: 'location', value: 'weights' }],
    },
  ];
  const node = [{ opType: 'If', input: ['w'], output: ['y'], attribute: [branch] }];
  const graph = { name: 'foreign', initializer, node, valueInfo: [{ name: 'y', type }], output: [{ name: 'y', type }] };
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, { irVersion: 8n, opsetImport: [{ version: 13n }], graph }),
  );
}

/** Whole numbers below `limit`, the same sequence for the same seed (xorshift32). */
function randomIntegers(seed: number): (limit: number) => number {
  let state = seed | 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return limit < 1 ? 0 : (state >>> 0) % limit;
  };
}

type Random = ReturnType<typeof randomIntegers>;

/** Bytes that lengths, tags and sizes turn into trouble: the largest varints, nested message tags, group tags. */
const TROUBLE: readonly (readonly number[])[] = [
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
  [0x3a, 0x00],
  [0x0a, 0xff, 0x01],
  [0x0b],
  [0x0c],
];

function damage(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const at = random(bytes.length);
  const span = 1 + random(24);
  const insert = (middle: ArrayLike<number>, from = at): Uint8Array =>
    Uint8Array.from([...bytes.subarray(0, at), ...Array.from(middle), ...bytes.subarray(from)]);
  switch (random(7)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return insert([], at + span);
    case 2:
      return insert(bytes.subarray(at, at + span));
    case 3:
      return insert(TROUBLE[random(TROUBLE.length)] ?? [], at + random(3));
    case 4:
      return insert(other.subarray(random(other.length)).subarray(0, span), at + random(span));
    case 5:
      return insert([(bytes[at] ?? 0) ^ (1 << random(8))], at + 1);
    default:
      return insert([random(256)], at + 1);
  }
}

function contentBytes(graph: Graph): number {
  const attributes = graph.nodes
    .flatMap((node) => Object.values(node.attributes))
    .flatMap((attribute) => (attribute.kind === 'tensor' ? [attribute.value] : []));
  return [...graph.initializers.values(), ...attributes].reduce(
    (sum, { contents }) => sum + (contents.kind === 'bytes' ? contents.bytes.byteLength : 0),
    0,
  );
}

/** Reads a damaged file: either one of the two errors, or a valid graph no larger than the file allows, which is then returned. */
function readDamaged(bytes: Uint8Array): Graph | undefined {
  let graph: Graph;
  try {
    graph = readModel(bytes);
  } catch (error) {
    if (error instanceof FileFormatError || error instanceof UnsupportedError) return undefined;
    throw new Error(`Reading [${bytes.join(', ')}] failed with something else.`, { cause: error });
  }
  expect(contentBytes(graph)).toBeLessThanOrEqual(8 * bytes.length);
  return graph;
}

describe('readModel of damaged files', () => {
  const originals = [
    writeModel(layer()),
    foreignModel(),
    ...fc.sample(arbitraryGraph, { numRuns: 20, seed: 2 }).map(writeModel),
  ];

  it(
    'throws one of two errors or gives a graph that can be written again',
    () => {
      const random = randomIntegers(2026);
      let accepted = 0;
      for (let index = 0; index < CASES; index++) {
        let bytes = originals[index % originals.length] as Uint8Array;
        for (let left = 1 + random(3); left > 0; left--)
          bytes = damage(bytes, originals[random(originals.length)] as Uint8Array, random);
        const graph = readDamaged(bytes);
        if (!graph) continue;
        accepted++;
        expect(readModel(writeModel(graph))).toEqual(graph);
      }
      expect(accepted).toBeGreaterThan(CASES / 100);
      expect(accepted).toBeLessThan(CASES);
    },
    TIMEOUT_MS,
  );

  it('refuses every file cut short inside its graph', () => {
    const bytes = writeModel(layer());
    for (let length = 0; length < bytes.length; length++) readDamaged(bytes.subarray(0, length));
    const refused = Array.from({ length: bytes.length }, (_, length) => bytes.subarray(0, length)).filter(
      (cut) => !readDamaged(cut),
    );
    // Only a cut between the last records of the model itself (operator sets, metadata) can leave a whole model.
    expect(refused.length).toBeGreaterThan(0.9 * bytes.length);
  });

  it('survives random bytes', () => {
    const random = randomIntegers(7);
    for (let index = 0; index < CASES / 10; index++)
      readDamaged(Uint8Array.from({ length: random(200) }, () => random(256)));
  });
});
