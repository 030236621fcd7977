import { floatToHalf } from '../src/checkpoint/half.ts';
import { GraphBuilder } from '../src/onnx/builder.ts';
import type { DataType, Graph, Initializer } from '../src/onnx/graph.ts';

/** How a benchmark's matrices are stored and multiplied; a number format of the export, or one of its alternatives. */
export interface MatrixKind {
  readonly format: 'f32' | 'f16' | 'q8' | 'q4';
  /** 'gemm': [out, in], transposed by the product. Default for f32 and f16: 'matmul', [in, out]. */
  readonly operator?: 'gemm' | undefined;
  /** Elements per block of q8 and q4; default 32. */
  readonly block?: number | undefined;
  /** Of MatMulNBits; default 4, activations in bytes. */
  readonly accuracyLevel?: number | undefined;
  /** Of q4 and q8: 'whole' numbers by default; 'none', all in the middle; 'remainders', whole ones with a product of block sums beside each (`GroupBlocks`). */
  readonly zeroPoints?: 'whole' | 'none' | 'remainders' | undefined;
}

/** Pairs of projections in one graph, one after the other, so that weights come from memory as in a model. */
export const MLP_COPIES = 8;

/** Up and down projections of an MLP without its activation: `input` [tokens, hidden] -> `output` [tokens, hidden]. */
export function mlpGraph(kind: MatrixKind, hidden: number, width: number): Graph {
  const builder = new GraphBuilder('mlp');
  const type: DataType = kind.format === 'f16' ? 'float16' : 'float32';
  let value = builder.input('input', type, ['tokens', hidden]);
  for (let copy = 0; copy < MLP_COPIES; copy++) {
    value = project(builder, kind, value, `up${copy}`, hidden, width);
    value = project(builder, kind, value, `down${copy}`, width, hidden);
  }
  builder.output(value, type, ['tokens', hidden], 'output');
  return builder.build();
}

function project(builder: GraphBuilder, kind: MatrixKind, input: string, name: string, K: number, N: number): string {
  const add = (
    suffix: string,
    dataType: Initializer['dataType'],
    shape: readonly number[],
    data: Float32Array | Uint16Array | Uint8Array,
  ) =>
    builder.initializer(`${name}${suffix}`, {
      dataType,
      shape,
      contents: { kind: 'bytes', bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) },
    });
  const { format, block = 32, accuracyLevel = 4 } = kind;
  if (format === 'f32' || format === 'f16') {
    const shape = kind.operator === 'gemm' ? [N, K] : [K, N];
    const weights = Float32Array.from({ length: N * K }, (_, index) => Math.sin(index) / Math.sqrt(K));
    const matrix =
      format === 'f32' ? add('', 'float32', shape, weights) : add('', 'float16', shape, floatToHalf(weights));
    return kind.operator === 'gemm'
      ? builder.add('Gemm', [input, matrix], { transB: 1 })
      : builder.add('MatMul', [input, matrix]);
  }
  const bits = format === 'q8' ? 8 : 4;
  const blocks = Math.ceil(K / block);
  // Speed does not depend on the codes.
  const codes = (count: number) => Uint8Array.from({ length: count }, (_, index) => (index * 97) & 255);
  const zeroBytes = Math.ceil((blocks * bits) / 8);
  const scale = 1 / Math.sqrt(K) / 2 ** (bits - 1);
  const parts = [
    add('values', 'uint8', [N, blocks, (block * bits) / 8], codes((N * blocks * block * bits) / 8)),
    add('scales', 'float32', [N, blocks], new Float32Array(N * blocks).fill(scale)),
    ...(kind.zeroPoints === 'none' ? [] : [add('zeros', 'uint8', [N, zeroBytes], codes(N * zeroBytes))]),
  ];
  const attributes = { K, N, bits, block_size: block, accuracy_level: accuracyLevel };
  const product = builder.add('MatMulNBits', [input, ...parts], attributes, { domain: 'com.microsoft' });
  if (kind.zeroPoints !== 'remainders') return product;
  const inBlocks = builder.add('Reshape', [input, builder.integers([0, -1, block])]);
  const sums = builder.add('ReduceSum', [inBlocks, builder.integers([-1])], { keepdims: 0 });
  const remainders = add('remainders', 'float32', [blocks, N], new Float32Array(blocks * N).fill(1e-3));
  return builder.add('Add', [product, builder.add('MatMul', [sums, remainders])]);
}
