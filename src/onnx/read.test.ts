import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import {
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  type GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  TensorProto_DataType as Type,
} from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { FileFormatError, UnsupportedError } from '../errors.ts';
import { encode } from './builder.ts';
import type { DataType, Graph } from './graph.ts';
import { readModel } from './read.ts';
import { arbitraryGraph } from './testing/arbitrary-graph.ts';
import { writeModel } from './write.ts';

type ModelInit = Exclude<MessageInitShape<typeof ModelProtoSchema>, ModelProto>;
type GraphInit = Exclude<MessageInitShape<typeof GraphProtoSchema>, GraphProto>;
type TensorInit = NonNullable<NonNullable<GraphInit['initializer']>[number]>;

/** Bytes of a model made straight from protobuf, without our writer. */
function model(graph: GraphInit, rest: ModelInit = {}): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, { irVersion: 10n, opsetImport: [{ domain: '', version: 21n }], graph, ...rest }),
  );
}

function modelOfTensor(tensor: TensorInit): Uint8Array {
  return model({ initializer: [{ name: 'w', ...tensor }] });
}

function contentsOf(graph: Graph, name: string): readonly number[] | undefined {
  const contents = graph.initializers.get(name)?.contents;
  return contents?.kind === 'bytes' ? [...contents.bytes] : undefined;
}

const TENSOR_TYPE = { value: { case: 'tensorType' as const, value: { elemType: Type.FLOAT, shape: { dim: [] } } } };

describe('readModel', () => {
  it('gives back every graph that writeModel wrote', () => {
    fc.assert(
      fc.property(arbitraryGraph, (graph) => {
        expect(readModel(writeModel(graph))).toEqual(graph);
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it.each<[DataType, TensorInit, readonly number[]]>([
    ['float32', { dataType: Type.FLOAT, floatData: [1, -2.5] }, [1, -2.5]],
    ['float64', { dataType: Type.DOUBLE, doubleData: [1, 1e300] }, [1, 1e300]],
    ['int64', { dataType: Type.INT64, int64Data: [1n, -(2n ** 40n)] }, [1, -(2 ** 40)]],
    ['int32', { dataType: Type.INT32, int32Data: [1, -7] }, [1, -7]],
    ['int8', { dataType: Type.INT8, int32Data: [127, -128] }, [127, -128]],
    ['uint8', { dataType: Type.UINT8, int32Data: [0, 255] }, [0, 255]],
    ['bool', { dataType: Type.BOOL, int32Data: [1, 0] }, [1, 0]],
  ])('normalises typed %s elements to bytes', (dataType, tensor, values) => {
    expect(contentsOf(readModel(modelOfTensor({ dims: [2n], ...tensor })), 'w')).toEqual([...encode(values, dataType)]);
  });

  it('normalises float16 elements, which are stored as the bits of int32', () => {
    expect(
      contentsOf(readModel(modelOfTensor({ dims: [2n], dataType: Type.FLOAT16, int32Data: [0x3c00, 0xc000] })), 'w'),
    ).toEqual([0x00, 0x3c, 0x00, 0xc0]);
  });

  it('reads tensors without elements, with and without raw data', () => {
    for (const tensor of [{}, { rawData: new Uint8Array() }])
      expect(contentsOf(readModel(modelOfTensor({ dims: [0n, 3n], dataType: Type.FLOAT, ...tensor })), 'w')).toEqual(
        [],
      );
  });

  it('takes the length of an external tensor from its shape when the file leaves it out', () => {
    const tensor = {
      dims: [2n, 3n],
      dataType: Type.FLOAT16,
      dataLocation: 1,
      externalData: [{ key: 'location', value: 'weights.bin' }],
    };
    expect(readModel(modelOfTensor(tensor)).initializers.get('w')?.contents).toEqual({
      kind: 'external',
      location: 'weights.bin',
      offset: 0,
      length: 12,
    });
  });

  it('names unnamed sizes apart from each other and from named ones', () => {
    const dim = [
      {},
      { value: { case: 'dimParam' as const, value: 'unnamed_0' } },
      { value: { case: 'dimParam' as const, value: '' } },
    ];
    const type = { value: { case: 'tensorType' as const, value: { elemType: Type.FLOAT, shape: { dim } } } };
    expect(readModel(model({ input: [{ name: 'x', type }] })).inputs[0]?.shape).toEqual([
      'unnamed_1',
      'unnamed_0',
      'unnamed_2',
    ]);
  });

  it('takes an input with a default as a constant, and both spellings of the default domain as one', () => {
    const graph = readModel(
      model(
        {
          input: [{ name: 'w', type: TENSOR_TYPE }],
          initializer: [{ name: 'w', dataType: Type.FLOAT, floatData: [3] }],
          node: [{ opType: 'Neg', domain: 'ai.onnx', input: ['w'], output: ['y'] }],
          output: [{ name: 'y', type: TENSOR_TYPE }],
        },
        { irVersion: 3n, opsetImport: [{ domain: 'ai.onnx', version: 7n }] },
      ),
    );
    expect(graph.inputs).toEqual([]);
    expect(graph.nodes[0]?.domain).toBe('');
    expect(graph.opsets).toEqual({ '': 7 });
  });
});

describe('readModel refuses as unsupported, by name,', () => {
  const nested = { name: 'then_branch', type: AttributeType.GRAPH, g: {} };
  it.each<[string, Uint8Array, RegExp]>([
    [
      'nested graphs',
      model({ node: [{ name: 'n', opType: 'If', attribute: [nested] }] }),
      /then_branch of node "n" \(If\) is a nested graph/,
    ],
    ['functions', model({}, { functions: [{ name: 'Gelu' }] }), /functions \(Gelu\)/],
    ['overloads', model({ node: [{ opType: 'Gelu', overload: 'fast' }] }), /overload fast/],
    [
      'references to function attributes',
      model({ node: [{ opType: 'A', attribute: [{ name: 'a', refAttrName: 'b' }] }] }),
      /refers to b/,
    ],
    ['sparse tensors', model({ sparseInitializer: [{ values: { name: 'sparse' } }] }), /sparse tensors \(sparse\)/],
    ['training information', model({}, { trainingInfo: [{}] }), /training/],
    [
      'other data types',
      modelOfTensor({ dataType: Type.BFLOAT16, rawData: new Uint8Array(2) }),
      /"w" has the data type BFLOAT16; Espalier reads float32/,
    ],
    [
      'tensors in segments',
      modelOfTensor({ dataType: Type.FLOAT, segment: { begin: 0n, end: 1n }, floatData: [1] }),
      /segments/,
    ],
    [
      'type attributes',
      model({ node: [{ opType: 'A', attribute: [{ name: 'a', type: AttributeType.TYPE_PROTO }] }] }),
      /kind TYPE_PROTO/,
    ],
    [
      'strings of bytes',
      model({
        node: [{ opType: 'A', attribute: [{ name: 'a', type: AttributeType.STRING, s: new Uint8Array([255]) }] }],
      }),
      /not UTF-8/,
    ],
    [
      'integers above 2^53',
      model({ node: [{ opType: 'A', attribute: [{ name: 'a', type: AttributeType.INT, i: 2n ** 63n - 1n }] }] }),
      /is 9223372036854775807/,
    ],
    [
      'sequences',
      model({ input: [{ name: 'x', type: { value: { case: 'sequenceType', value: {} } } }] }),
      /input "x" is no tensor but a sequence/,
    ],
    [
      'unknown ranks',
      model({ input: [{ name: 'x', type: { value: { case: 'tensorType', value: { elemType: Type.FLOAT } } } }] }),
      /number of axes/,
    ],
    ['newer formats', model({}, { irVersion: 99n }), /format version 99; Espalier reads 3 to 13/],
  ])('%s', (_, bytes, message) => {
    expect(() => readModel(bytes)).toThrow(UnsupportedError);
    expect(() => readModel(bytes)).toThrow(message);
  });
});

describe('readModel refuses as malformed', () => {
  const external = (entries: Record<string, string>): Uint8Array =>
    modelOfTensor({
      dims: [2n],
      dataType: Type.FLOAT,
      dataLocation: 1,
      externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
    });
  const neg = (input: string, output: string) => ({ opType: 'Neg', input: [input], output: [output] });
  it.each<[string, Uint8Array, RegExp]>([
    ['no bytes', new Uint8Array(), /no graph/],
    ['text', new TextEncoder().encode('{"this": "is no model"}'), /./],
    [
      'more elements than the file holds',
      modelOfTensor({ dims: [10n ** 12n], dataType: Type.FLOAT, rawData: new Uint8Array(8) }),
      /needs 4000000000000 bytes, but 8/,
    ],
    [
      'typed elements that are fewer',
      modelOfTensor({ dims: [10n ** 12n], dataType: Type.FLOAT, floatData: [1] }),
      /needs 4000000000000 bytes, but 4/,
    ],
    [
      'sizes that overflow',
      modelOfTensor({ dims: [2n ** 40n, 2n ** 40n, 2n ** 40n], dataType: Type.FLOAT }),
      /needs .* bytes, but 0/,
    ],
    ['negative sizes', modelOfTensor({ dims: [-1n], dataType: Type.FLOAT }), /has the size -1/],
    [
      'elements in two fields',
      modelOfTensor({ dataType: Type.FLOAT, rawData: new Uint8Array(4), floatData: [1] }),
      /both in rawData and in floatData/,
    ],
    [
      'elements in the wrong field',
      modelOfTensor({ dataType: Type.FLOAT, int64Data: [1n] }),
      /in int64Data; ONNX keeps them in floatData/,
    ],
    [
      'elements out of range',
      modelOfTensor({ dataType: Type.UINT8, int32Data: [256] }),
      /element 256; they must be from 0 to 255/,
    ],
    ['data types that do not exist', modelOfTensor({ dataType: 77 }), /data type 77/],
    [
      'tensors that are there twice',
      model({ initializer: [0, 1].map(() => ({ name: 'w', dataType: Type.FLOAT, floatData: [1] })) }),
      /"w" is there twice/,
    ],
    [
      'attributes that are there twice',
      model({ node: [{ opType: 'A', attribute: [0, 1].map(() => ({ name: 'a', type: AttributeType.INT })) }] }),
      /"a" twice/,
    ],
    ['attributes without type', model({ node: [{ opType: 'A', attribute: [{ name: 'a', i: 1n }] }] }), /has no type/],
    ['values from nowhere', model({ node: [neg('x', 'y')] }), /reads x, which no graph input/],
    [
      'nodes out of order',
      model({
        initializer: [{ name: 'x', dataType: Type.FLOAT, floatData: [1] }],
        node: [neg('y', 'z'), neg('x', 'y')],
      }),
      /reads y/,
    ],
    [
      'values with two producers',
      model({ initializer: [{ name: 'x', dataType: Type.FLOAT, floatData: [1] }], node: [neg('x', 'x')] }),
      /already has a producer/,
    ],
    [
      'outputs from nowhere',
      model({ output: [{ name: 'y', type: TENSOR_TYPE }] }),
      /output "y" is produced by nothing/,
    ],
    [
      'operator sets named twice',
      model({}, { opsetImport: ['', 'ai.onnx'].map((domain, i) => ({ domain, version: 21n + BigInt(i) })) }),
      /names operator set "" twice/,
    ],
    ['absolute locations', external({ location: '/etc/passwd' }), /refused because it is an absolute path/],
    ['locations outside the folder', external({ location: 'a/../../b' }), /refused because it contains '\.\.'/],
    ['locations with NUL', external({ location: 'a\0b' }), /refused because it contains "\\u0000"/],
    ['no location', external({ offset: '0' }), /without a location/],
    ['offsets that are no numbers', external({ location: 'a', offset: '0x10' }), /offset "0x10"/],
    ['lengths that differ from the shape', external({ location: 'a', length: '9' }), /needs 8 bytes, but 9 are given/],
    ['offsets beyond 2^53', external({ location: 'a', offset: '9007199254740991', length: '8' }), /below 2\^53/],
  ])('%s', (_, bytes, message) => {
    expect(() => readModel(bytes)).toThrow(FileFormatError);
    expect(() => readModel(bytes)).toThrow(message);
  });
});
