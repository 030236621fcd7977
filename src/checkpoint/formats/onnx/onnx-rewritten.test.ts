import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { modelOf } from '../../../architecture/model.ts';
import { MissingError, UnsupportedError } from '../../../errors.ts';
import { openCheckpoint } from '../../folder.ts';
import { memoryFiles } from '../../testing/memory-files.ts';

/** A decoder as ONNX Runtime GenAI's builder writes it: all weights in one file beside the graph. */
const folder = join(import.meta.dirname, '../../fixtures/onnx/genai-llama');
const [config, graph, data] = (await Promise.all(
  ['config.json', 'model.onnx', 'model.onnx.data'].map(
    async (name) => new Uint8Array(await readFile(join(folder, name))),
  ),
)) as [Uint8Array, Uint8Array, Uint8Array];

const entryOf = (tensor: TensorProto, key: string) => tensor.externalData.find((entry) => entry.key === key)?.value;
const external = (tensor: TensorProto) => tensor.dataLocation === DataLocation.EXTERNAL;
const contents = (tensor: TensorProto) => {
  const offset = Number(entryOf(tensor, 'offset') ?? 0);
  return data.slice(offset, offset + Number(entryOf(tensor, 'length')));
};
const refer = (tensor: TensorProto, entries: Readonly<Record<string, string>>) => {
  tensor.externalData = Object.entries(entries).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value }),
  );
};

type Files = Record<string, Uint8Array>;

/** The same decoder after `change`, with the files that it needs then. */
function rewritten(change: (model: ModelProto, files: Files) => void): Files {
  const model = fromBinary(ModelProtoSchema, graph);
  const files: Files = { 'config.json': config, 'model.onnx.data': data };
  change(model, files);
  return { ...files, 'model.onnx': toBinary(ModelProtoSchema, model) };
}

const initializers = (model: ModelProto) => model.graph?.initializer ?? [];

/** As onnx.load and onnx.save make one file of it: the place of the data stands behind them, and says "inside". */
const inlined = (model: ModelProto, files: Files) => {
  for (const tensor of initializers(model).filter(external)) {
    tensor.rawData = contents(tensor);
    tensor.externalData = [];
    tensor.dataLocation = DataLocation.DEFAULT;
  }
  delete files['model.onnx.data'];
};

const open = (files: Files) => openCheckpoint(memoryFiles('m', files));
const original = await open(rewritten(() => undefined));

describe('a decoder that another tool rewrote has the same weights', () => {
  test.each<readonly [string, (model: ModelProto, files: Files) => void]>([
    ['with weights inside again', inlined],
    [
      'with weights inside as lists of floats',
      (model, files) => {
        inlined(model, files);
        for (const tensor of initializers(model).filter(
          ({ dataType, rawData }) => dataType === 1 && rawData.length > 0,
        )) {
          tensor.floatData = [...new Float32Array(tensor.rawData.slice().buffer)];
          Object.assign(tensor, { ...tensor, rawData: undefined });
        }
      },
    ],
    [
      'with a file for each tensor, in the folder by ./',
      (model, files) => {
        for (const [index, tensor] of initializers(model).filter(external).entries()) {
          const bytes = contents(tensor);
          files[`weights_${index}`] = bytes;
          refer(tensor, { location: `./weights_${index}`, ...(index % 2 ? { length: String(bytes.length) } : {}) });
        }
        delete files['model.onnx.data'];
      },
    ],
    [
      'with external data of another name and checksums',
      (model, files) => {
        files['decoder.bin'] = data;
        delete files['model.onnx.data'];
        for (const tensor of initializers(model).filter(external)) {
          const entries = Object.fromEntries(tensor.externalData.map(({ key, value }) => [key, value]));
          refer(tensor, { ...entries, location: 'decoder.bin', checksum: 'abc' });
        }
      },
    ],
    [
      'with its operator set under both names, another format version, and metadata twice',
      (model) => {
        model.irVersion = 12n;
        const plain = model.opsetImport.find(({ domain }) => domain === '');
        if (plain) model.opsetImport.push({ ...plain, domain: 'ai.onnx' });
        for (const value of ['1', '2'])
          model.metadataProps.push(create(StringStringEntryProtoSchema, { key: 'converted', value }));
        model.producerName = 'another tool';
        model.docString = 'rewritten';
      },
    ],
    [
      'with its weights in Constant nodes',
      (model, files) => {
        inlined(model, files);
        const nodes = initializers(model).map((tensor) =>
          create(NodeProtoSchema, {
            opType: 'Constant',
            output: [tensor.name],
            attribute: [create(AttributeProtoSchema, { name: 'value', type: AttributeType.TENSOR, t: tensor })],
          }),
        );
        if (model.graph) Object.assign(model.graph, { initializer: [], node: [...nodes, ...model.graph.node] });
      },
    ],
    [
      'with initializers that are graph inputs too',
      (model) => {
        const [input] = model.graph?.input ?? [];
        for (const { name } of initializers(model)) if (input) model.graph?.input.push({ ...input, name });
      },
    ],
  ])('%s', async (_, change) => {
    const model = await open(rewritten(change));
    expect([...model.tensors.keys()].sort()).toEqual([...original.tensors.keys()].sort());
    for (const name of original.tensors.keys()) expect(await model.read(name)).toEqual(await original.read(name));
    expect(() => modelOf(model)).not.toThrow();
  });
});

test('external data that was renamed alone is told, with what may be it', async () => {
  const files = rewritten((_, all) => {
    all['decoder.onnx.data'] = data;
    delete all['model.onnx.data'];
  });
  await expect(open(files)).rejects.toThrow(MissingError);
  await expect(open(files)).rejects.toThrow(
    'm has no file "model.onnx.data", which holds weights of model.onnx. Put it beside the model; if it is one of those that are there (decoder.onnx.data), give that one its name back.',
  );
});

test('weights in 8-bit codes are told as what they are', async () => {
  const files = rewritten((model) => {
    for (const node of model.graph?.node ?? []) if (node.opType === 'MatMul') node.opType = 'MatMulInteger';
  });
  await expect(open(files)).rejects.toThrow(UnsupportedError);
  await expect(open(files)).rejects.toThrow('model.onnx is quantised to 8-bit integers by the operator MatMulInteger');
});

test('numbers of the graph that belong to no weight are named', async () => {
  const files = rewritten((model) => {
    const floats = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
    model.graph?.initializer.push(
      create(TensorProtoSchema, { name: 'steering.vector', dims: [3n], dataType: 1, rawData: floats }),
    );
  });
  const model = await open(files);
  expect(() => modelOf(model)).toThrow('has 1 tensor that the architecture llama does not read: steering.vector.');
});

test('a graph that scales its logits while the config says nothing of it is told', async () => {
  const files = rewritten((model) => {
    const nodes = model.graph?.node ?? [];
    for (const node of nodes) node.output = node.output.map((name) => (name === 'logits' ? 'unscaled' : name));
    nodes.push(create(NodeProtoSchema, { opType: 'Mul', input: ['unscaled', 'unscaled'], output: ['logits'] }));
  });
  const opened = openCheckpoint(memoryFiles('m', files));
  await expect(opened).rejects.toThrow('model.onnx changes its logits behind the output matrix (Mul), and config.json');
});
