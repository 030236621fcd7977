import { MismatchError } from '../../../errors.ts';
import type { TensorInfo } from '../../checkpoint.ts';
import { isRecord, type JsonRecord } from '../../files/json.ts';
import { quote, type RowRange, type Weights } from '../../weights.ts';

/** Names of the scales beside a weight, and of those of activations, which weights do not need. */
const WEIGHT_SCALES = ['_scale_inv', '_scale'] as const;
const ACTIVATION_SCALE = /\.(input_scale|activation_scale|output_scale|[kqv]_scale)$/;
const STORED = 'F8_E4M3';
const METHODS = ['fp8', 'compressed-tensors', 'fbgemm_fp8'];

interface ScaledWeight {
  readonly scale: TensorInfo;
  /** Rows and columns that share one number. */
  readonly block: readonly [rows: number, columns: number];
}

/**
 * Weights that are stored as 8-bit floats (e4m3) with scales beside them, as plain ones: w = code * scale. A scale is one number, one a row, or one a block
 * (`weight_block_size`, 128 by 128). What config.json says of the quantisation is left out with the scales. Others are returned as they are.
 * Throws MismatchError for scales that do not fit their weight, or are missing for some.
 */
export function unscaleFloats(
  weights: Weights,
  config: JsonRecord,
): { readonly weights: Weights; readonly config: JsonRecord } {
  const { quantization_config: stated, ...rest } = config;
  const method = isRecord(stated) ? stated.quant_method : undefined;
  if (!METHODS.includes(String(method))) return { weights, config };
  const blockSize = isRecord(stated) && Array.isArray(stated.weight_block_size) ? stated.weight_block_size : [];
  const scaled = new Map<string, ScaledWeight>();
  for (const info of weights.tensors.values()) {
    if (info.storage !== STORED) continue;
    const scale = WEIGHT_SCALES.map((ending) => weights.tensors.get(info.name + ending)).find(Boolean);
    if (scale) scaled.set(info.name, { scale, block: blockOf(info, scale, blockSize.map(Number)) });
  }
  if (scaled.size === 0) return { weights, config };
  const unscaled = [...weights.tensors.values()].find(({ name, storage }) => storage === STORED && !scaled.has(name));
  if (unscaled)
    throw new MismatchError(
      `Tensor ${quote(unscaled.name)} is stored as ${STORED} without the scale that others of the model have. Take the weights whole, of one revision.`,
    );
  const scales = new Set([...scaled.values()].map(({ scale }) => scale.name));
  const kept = [...weights.tensors].filter(([name]) => !scales.has(name) && !ACTIVATION_SCALE.test(name));
  return {
    config: rest,
    weights: {
      ...weights,
      tensors: new Map(kept),
      async read(name, rows) {
        const weight = scaled.get(name);
        const values = await weights.read(name, rows);
        return weight ? times(values, weight, await weights.read(weight.scale.name), weights, name, rows) : values;
      },
    },
  };
}

/** The block that one number of the scales stands for. */
function blockOf(info: TensorInfo, scale: TensorInfo, stated: readonly number[]): readonly [number, number] {
  const [rows = 1, columns = 1] = info.shape;
  const [down = 1, across = 1] = scale.shape;
  const [height = Math.ceil(rows / down), width = Math.ceil(columns / across)] =
    scale.shape.length === 2 && across > 1 ? stated : [];
  if (scale.shape.length > 2 || Math.ceil(rows / height) !== down || Math.ceil(columns / width) !== across)
    throw new MismatchError(
      `Tensor ${quote(scale.name)} has shape [${scale.shape.join(', ')}], which are no scales of [${info.shape.join(', ')}] in blocks of ${height} by ${width}. Take the config.json and the weights of one revision.`,
    );
  return [height, width];
}

function times(
  values: Float32Array,
  { block: [height, width], scale }: ScaledWeight,
  scales: Float32Array,
  { tensors }: Weights,
  name: string,
  rows: RowRange | undefined,
): Float32Array {
  const columns = tensors.get(name)?.shape[1] ?? 1;
  const across = scale.shape[1] ?? 1;
  const first = rows?.start ?? 0;
  return values.map((value, index) => {
    const row = first + Math.floor(index / columns);
    const place = Math.floor(row / height) * across + Math.floor((index % columns) / width);
    return value * (scales[place] as number);
  });
}
