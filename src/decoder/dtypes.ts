/** Number formats that a decoder is written in. */
export type ExportDataType = 'f32' | 'f16' | 'q8' | 'q4';

/** What a number format means for the decoder graph and for the file's name. */
export interface ExportFormat {
  /** Type of activations, key/value cache, norms and rotary tables. Logits are float32 always. */
  readonly activations: 'float32' | 'float16';
  /** Bits of the matrices' elements, in blocks along the input axis; undefined where they are stored as activations are. */
  readonly bits: 4 | 8 | undefined;
  /** The same for embedding and output matrix: bytes, because half-bytes there cost more accuracy than they save space, and cannot be looked up by rows. */
  readonly embeddingBits: 8 | undefined;
  /**
   * Neurons of a layer are best kept in multiples of this. f32 and f16: WebGPU's MatMul moves four elements at a time only when both sizes are
   * multiples of four (matmul.cc, `is_vec4`). q8 and q4: blocks without padding. On the CPU no multiple was faster than another (`npm run bench -- widths`).
   */
  readonly widthMultiple: number;
  /** File name as transformers.js expects it for this dtype. */
  readonly file: string;
  /** What transformers.js calls it. */
  readonly transformersName: string;
  /** Where it is slower than its size promises, for people who choose a format; from `npm run bench -- formats`. */
  readonly note: string | undefined;
}

const SLOW_ON_WASM =
  'ONNX Runtime 1.30 has no products in blocks for WebAssembly: every token expands each matrix anew, so that single tokens take there 10 to 18 times as long as in f32 (a prompt 1.6 to 1.8 times). On the CPU of Node tokens are faster than in f32.';
const HALF_NEEDS =
  'WebGPU needs a device with shader-f16 for it; the CPU and WebAssembly expand it to f32 when it is loaded, so that only the download is smaller.';

/** Elements of a matrix row that share one scale. */
export const QUANTISATION_BLOCK = 32;

export const EXPORT_FORMATS: Readonly<Record<ExportDataType, ExportFormat>> = {
  f32: {
    activations: 'float32',
    bits: undefined,
    embeddingBits: undefined,
    widthMultiple: 4,
    file: 'model.onnx',
    transformersName: 'fp32',
    note: undefined,
  },
  f16: {
    activations: 'float16',
    bits: undefined,
    embeddingBits: undefined,
    widthMultiple: 4,
    file: 'model_fp16.onnx',
    transformersName: 'fp16',
    note: HALF_NEEDS,
  },
  q8: {
    activations: 'float32',
    bits: 8,
    embeddingBits: 8,
    widthMultiple: QUANTISATION_BLOCK,
    file: 'model_quantized.onnx',
    transformersName: 'q8',
    note: SLOW_ON_WASM,
  },
  q4: {
    activations: 'float32',
    bits: 4,
    embeddingBits: 8,
    widthMultiple: QUANTISATION_BLOCK,
    file: 'model_q4.onnx',
    transformersName: 'q4',
    note: SLOW_ON_WASM,
  },
};

/** Bytes that one element of a block's matrices takes on file: half-byte or byte, plus its share of the block's scale and packed zero point. */
export function bytesPerParameter(dataType: ExportDataType): number {
  return bytesPerElement(dataType, EXPORT_FORMATS[dataType].bits);
}

/** The same of embedding and output matrix, whose rows of `hiddenSize` are filled up to whole blocks. */
export function embeddingBytesPerParameter(dataType: ExportDataType, hiddenSize: number): number {
  const { embeddingBits } = EXPORT_FORMATS[dataType];
  const filled = Math.ceil(hiddenSize / QUANTISATION_BLOCK) * QUANTISATION_BLOCK;
  return bytesPerElement(dataType, embeddingBits) * (embeddingBits === undefined ? 1 : filled / hiddenSize);
}

/** Of norms, biases, rotary tables and the key/value cache. */
export function bytesPerActivation(dataType: ExportDataType): number {
  return EXPORT_FORMATS[dataType].activations === 'float16' ? 2 : 4;
}

function bytesPerElement(dataType: ExportDataType, bits: 4 | 8 | undefined): number {
  const activation = bytesPerActivation(dataType);
  return bits === undefined ? activation : bits / 8 + (activation + bits / 8) / QUANTISATION_BLOCK;
}
