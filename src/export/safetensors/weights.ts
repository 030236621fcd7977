import type { Model } from '../../architecture/model.ts';
import {
  type StreamedFile,
  type StreamedTensor,
  streamSafetensors,
} from '../../checkpoint/formats/safetensors/safetensors-stream.ts';
import { floatToBfloat16, floatToHalf } from '../../checkpoint/half.ts';
import { refuseBeyondHalf } from '../half-range.ts';
import type { ModelShape } from './shape.ts';

/** Number formats of a safetensors file, by the names of config.json's `dtype`. */
export type SafetensorsType = 'float32' | 'float16' | 'bfloat16';

const TYPES = {
  float32: { dtype: 'F32', bytes: 4, encode: (values: Float32Array) => values },
  float16: { dtype: 'F16', bytes: 2, encode: floatToHalf },
  bfloat16: { dtype: 'BF16', bytes: 2, encode: floatToBfloat16 },
} as const;

/** Values that are read, converted and written at a time. */
const CHUNK = 1 << 20;

/**
 * The weights of a (pruned) model under the names of the Hugging Face layout. Biases that the family's class
 * expects beside those that compensation added are zeros.
 */
export function safetensorsFile(model: Model, shape: ModelShape, type: SafetensorsType): StreamedFile {
  const tensors = [...model.checkpoint.tensors].map(([name, info]) => weight(model, name, info.shape, type));
  if (shape.isPlain && shape.hasAddedBiases) tensors.push(...zeroBiases(tensors, type));
  return streamSafetensors(tensors, { format: 'pt' });
}

function weight({ checkpoint }: Model, name: string, shape: readonly number[], type: SafetensorsType): StreamedTensor {
  const { dtype, encode } = TYPES[type];
  const [rows = 1, ...rest] = shape;
  const columns = rest.reduce((product, size) => product * size, 1);
  const step = Math.max(1, Math.floor(CHUNK / columns));
  return {
    name,
    dtype,
    shape,
    async *chunks() {
      for (let start = 0; start < rows; start += step) {
        const read = await checkpoint.read(name, { start, end: Math.min(rows, start + step) });
        if (type === 'float16')
          refuseBeyondHalf(read, name, 'Write safetensors in bf16 or f32 (--safetensors-type, safetensorsType).');
        const values = encode(read);
        yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      }
    },
  };
}

/** transformers' LLaMA has biases in all projections of attention, or of the MLP, or in none. */
function zeroBiases(tensors: readonly StreamedTensor[], type: SafetensorsType): StreamedTensor[] {
  const names = new Set(tensors.map(({ name }) => name));
  const { dtype, bytes } = TYPES[type];
  const modules = [...names].flatMap((name) => /^(.+\.)(o_proj|down_proj)\.bias$/.exec(name)?.[1] ?? []);
  return tensors.flatMap(({ name, shape: [rows = 0] }) => {
    const match = /^(.+\.)([a-z]+_proj)\.weight$/.exec(name);
    const bias = `${match?.[1]}${match?.[2]}.bias`;
    if (!match || !modules.includes(match[1] ?? '') || names.has(bias)) return [];
    return [
      {
        name: bias,
        dtype,
        shape: [rows],
        async *chunks() {
          yield new Uint8Array(rows * bytes);
        },
      },
    ];
  });
}
