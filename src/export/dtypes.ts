import type { DataType } from '../onnx/graph.ts';

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
  /** File name as transformers.js expects it for this dtype. */
  readonly file: string;
  /** What transformers.js calls it. */
  readonly transformersName: string;
}

/** Elements of a matrix row that share one scale. */
export const QUANTISATION_BLOCK = 32;

export const EXPORT_FORMATS: Readonly<Record<ExportDataType, ExportFormat>> = {
  f32: { activations: 'float32', bits: undefined, embeddingBits: undefined, file: 'model.onnx', transformersName: 'fp32' },
  f16: { activations: 'float16', bits: undefined, embeddingBits: undefined, file: 'model_fp16.onnx', transformersName: 'fp16' },
  q8: { activations: 'float32', bits: 8, embeddingBits: 8, file: 'model_quantized.onnx', transformersName: 'q8' },
  q4: { activations: 'float32', bits: 4, embeddingBits: 8, file: 'model_q4.onnx', transformersName: 'q4' },
};

/** Bytes that one matrix element takes on file: half-byte or byte, plus its share of the block's float32 scale and packed zero point. */
export function bytesPerParameter(dataType: ExportDataType): number {
  const { activations, bits } = EXPORT_FORMATS[dataType];
  if (bits === undefined) return bytesOfActivation(activations);
  return bits / 8 + (bytesOfActivation(activations) + bits / 8) / QUANTISATION_BLOCK;
}

function bytesOfActivation(dataType: DataType): number {
  return dataType === 'float16' ? 2 : 4;
}
