/** Decoders of a folder by transformers.js' names, most exact first. */
export const ONNX_FILES = [
  'onnx/model.onnx',
  'model.onnx',
  'onnx/decoder_model.onnx',
  'decoder_model.onnx',
  'onnx/model_fp16.onnx',
  'onnx/model_q8.onnx',
  'onnx/model_quantized.onnx',
  'onnx/model_q4.onnx',
  'onnx/model_q4f16.onnx',
] as const;
