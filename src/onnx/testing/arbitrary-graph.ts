/** Random graphs for property tests: every data type, attribute kind and kind of contents; valid, though no runtime knows the operators. */
import fc from 'fast-check';
import { dataTypes, tensorByteLength } from '../data-types.ts';
import type { Attribute, DataType, Graph, Initializer, Node, ValueInfo } from '../graph.ts';

const dataType = fc.constantFrom<DataType>(...dataTypes);
/** Text of any script, but no unpaired surrogates, which have no UTF-8 form. */
const text = fc.string({ unit: 'binary', maxLength: 12 });
const integer = fc.oneof(fc.integer(), fc.maxSafeInteger()).map((value) => value + 0);
const single = fc.float();

const shape = fc.array(fc.nat(4), { maxLength: 4 });
const symbolicShape = fc.array(fc.oneof(fc.maxSafeNat(), fc.constantFrom('batch', 'tokens', 'größe')), {
  maxLength: 4,
});

const inlineTensor: fc.Arbitrary<Initializer> = fc.tuple(dataType, shape).chain(([type, sizes]) => {
  const length = tensorByteLength(type, sizes);
  return fc
    .uint8Array({ minLength: length, maxLength: length })
    .map((bytes) => ({ dataType: type, shape: sizes, contents: { kind: 'bytes', bytes } }));
});

const externalTensor: fc.Arbitrary<Initializer> = fc
  .record({
    type: dataType,
    sizes: fc.array(fc.nat(1000), { maxLength: 3 }),
    offset: fc.nat(),
    location: fc.constantFrom('model.onnx_data', 'data/part-1'),
  })
  .map(({ type, sizes, offset, location }) => ({
    dataType: type,
    shape: sizes,
    contents: { kind: 'external', location, offset, length: tensorByteLength(type, sizes) },
  }));

const arbitraryTensor = fc.oneof(inlineTensor, externalTensor);

const arbitraryAttribute: fc.Arbitrary<Attribute> = fc.oneof(
  integer.map((value) => ({ kind: 'int' as const, value })),
  single.map((value) => ({ kind: 'float' as const, value })),
  text.map((value) => ({ kind: 'string' as const, value })),
  fc.array(integer, { maxLength: 5 }).map((value) => ({ kind: 'ints' as const, value })),
  fc.array(single, { maxLength: 5 }).map((value) => ({ kind: 'floats' as const, value })),
  fc.array(text, { maxLength: 5 }).map((value) => ({ kind: 'strings' as const, value })),
  arbitraryTensor.map((value) => ({ kind: 'tensor' as const, value })),
);

const attributeName = fc
  .oneof(fc.constantFrom('axis', 'epsilon', '__proto__', 'constructor'), text)
  .filter((name) => name !== '');
const attributes = fc
  .uniqueArray(fc.tuple(attributeName, arbitraryAttribute), { maxLength: 4, selector: ([name]) => name })
  .map((entries) => Object.fromEntries(entries));

interface NodeDraft {
  readonly operator: string;
  readonly domain: string;
  /** Indices into the values known so far; undefined for an absent input. */
  readonly inputs: readonly (number | undefined)[];
  readonly outputs: number;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

const nodeDraft: fc.Arbitrary<NodeDraft> = fc.record({
  operator: fc.constantFrom('Gemm', 'Softmax', 'GroupQueryAttention'),
  domain: fc.constantFrom('', 'com.microsoft'),
  inputs: fc.array(fc.option(fc.nat(), { nil: undefined }), { maxLength: 4 }),
  outputs: fc.integer({ min: 1, max: 3 }),
  attributes,
});

/** Numbers the drafts' values so that each has one producer and every input is known. */
function connect(drafts: readonly NodeDraft[], known: readonly string[]): Node[] {
  const values = [...known];
  return drafts.map((draft, index) => {
    const inputs = draft.inputs.map((input) =>
      input === undefined ? '' : (values[input % Math.max(1, values.length)] ?? ''),
    );
    const outputs = Array.from({ length: draft.outputs }, (_, output) => `value ${index}.${output}`);
    values.push(...outputs);
    return {
      name: `node ${index}`,
      operator: draft.operator,
      domain: draft.domain,
      inputs,
      outputs,
      attributes: draft.attributes,
    };
  });
}

export const arbitraryGraph: fc.Arbitrary<Graph> = fc
  .record({
    name: text,
    inputTypes: fc.array(fc.tuple(dataType, symbolicShape), { maxLength: 3 }),
    tensors: fc.array(arbitraryTensor, { maxLength: 4 }),
    drafts: fc.array(nodeDraft, { maxLength: 6 }),
    outputType: fc.tuple(dataType, symbolicShape),
    metadata: fc.dictionary(text, text, { maxKeys: 3 }),
    opset: fc.integer({ min: 1, max: 25 }),
  })
  .map(({ name, inputTypes, tensors, drafts, outputType, metadata, opset }) => {
    const inputs: ValueInfo[] = inputTypes.map(([type, sizes], index) => ({
      name: `input ${index}`,
      dataType: type,
      shape: sizes,
    }));
    const initializers = new Map(tensors.map((tensor, index) => [`tensor ${index}`, tensor] as const));
    const nodes = connect(drafts, [...inputs.map((input) => input.name), ...initializers.keys()]);
    const outputs = nodes.slice(-2).flatMap((node) => node.outputs);
    return {
      name,
      inputs,
      outputs: outputs.map((output) => ({ name: output, dataType: outputType[0], shape: outputType[1] })),
      initializers,
      nodes,
      opsets: { '': opset, 'com.microsoft': 1 },
      metadata: { ...metadata },
    };
  });
