import type { Checkpoint, TensorInfo } from '../checkpoint/checkpoint.ts';
import { MismatchError } from '../errors.ts';

/** Values of MXFP4's codes (OCP Microscaling Formats 1.0): a sign, two bits of exponent and one of mantissa. */
const CODES = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6];
/** A block has one scale, a power of two: 2^(byte - 127). */
const SCALE_BIAS = 127;

type Part = 'gate' | 'up' | 'down';

const EXPERTS = /^(model\.layers\.\d+\.mlp\.experts)\.(gate_up_proj|down_proj)(_blocks)?$/;

/**
 * A view of a gpt-oss checkpoint in which the experts of a layer are one wide MLP, neuron after neuron (`stackedExperts`): gate and up, of which files hold the rows in turns,
 * apart, and what is stored as MXFP4 (`_blocks` and `_scales`) as numbers. The checkpoint itself where it has no such tensors. Throws MismatchError where shapes do not fit each other.
 */
export function gptOssExperts(checkpoint: Checkpoint): Checkpoint {
  const tensors = new Map<string, TensorInfo>();
  const parts = new Map<string, { readonly place: string; readonly part: Part; readonly isBias: boolean }>();
  for (const [name, info] of checkpoint.tensors) {
    const [, place, matrix, blocks] = EXPERTS.exec(name) ?? [];
    if (!place) {
      if (!/\.mlp\.experts\.(gate_up_proj_(bias|scales)|down_proj_scales)$/.test(name)) tensors.set(name, info);
      continue;
    }
    const [count = 0, first = 0, second = 0, width = 0] = info.shape;
    const inner = blocks ? second * width * 2 : second;
    // [experts, 2 neurons, hiddenSize] and [experts, hiddenSize, neurons] in blocks; transposed without.
    const [rows, columns] = blocks ? [first, inner] : [inner, first];
    const add = (part: Part, shape: readonly number[], isBias = false) => {
      const stacked = `${place}.${part}.${isBias ? 'bias' : 'weight'}`;
      const share = matrix === 'down_proj' ? 1 : 2;
      tensors.set(stacked, {
        name: stacked,
        storage: blocks ? 'MXFP4' : info.storage,
        shape,
        byteLength: info.byteLength / share,
      });
      parts.set(stacked, { place, part, isBias });
    };
    if (matrix === 'down_proj') add('down', [rows, count * columns]);
    else {
      if (rows % 2 !== 0)
        throw new MismatchError(
          `${checkpoint.provenance.name}: ${name} holds ${rows} rows of gates and values; they must be even. Take the model whole.`,
        );
      for (const part of ['gate', 'up'] as const) {
        add(part, [(count * rows) / 2, columns]);
        add(part, [(count * rows) / 2], true);
      }
    }
  }
  if (parts.size === 0) return checkpoint;
  return {
    ...checkpoint,
    tensors,
    async read(name, rows) {
      const found = parts.get(name);
      if (!found) return checkpoint.read(name, rows);
      const whole = found.isBias ? await bias(checkpoint, found) : await matrix(checkpoint, found);
      const columns = tensors.get(name)?.shape[1] ?? 1;
      return rows ? whole.slice(rows.start * columns, rows.end * columns) : whole;
    },
  };
}

interface Wanted {
  readonly place: string;
  readonly part: Part;
}

async function bias(checkpoint: Checkpoint, { place, part }: Wanted): Promise<Float32Array> {
  const values = await checkpoint.read(`${place}.gate_up_proj_bias`);
  return values.filter((_, index) => index % 2 === (part === 'gate' ? 0 : 1));
}

async function matrix(checkpoint: Checkpoint, { place, part }: Wanted): Promise<Float32Array> {
  const source = await rowsOfExperts(checkpoint, `${place}.${part === 'down' ? 'down_proj' : 'gate_up_proj'}`);
  const { experts, rows, columns, values } = source;
  if (part === 'down') {
    // [experts, hiddenSize, neurons] -> [hiddenSize, experts * neurons]
    const result = new Float32Array(values.length);
    for (let expert = 0; expert < experts; expert++)
      for (let row = 0; row < rows; row++) {
        const from = (expert * rows + row) * columns;
        result.set(values.subarray(from, from + columns), (row * experts + expert) * columns);
      }
    return result;
  }
  const result = new Float32Array(values.length / 2);
  for (let row = part === 'gate' ? 0 : 1; row < experts * rows; row += 2)
    result.set(values.subarray(row * columns, (row + 1) * columns), (row >> 1) * columns);
  return result;
}

/** [experts, rows, columns] with a row for every output, however it is stored. */
async function rowsOfExperts(checkpoint: Checkpoint, name: string) {
  const plain = checkpoint.tensors.get(name);
  if (plain) {
    const [experts = 0, columns = 0, rows = 0] = plain.shape;
    const stored = await checkpoint.read(name);
    const values = new Float32Array(stored.length);
    for (let expert = 0; expert < experts; expert++)
      for (let column = 0; column < columns; column++)
        for (let row = 0; row < rows; row++)
          values[(expert * rows + row) * columns + column] = stored[(expert * columns + column) * rows + row] as number;
    return { experts, rows, columns, values };
  }
  const [experts = 0, rows = 0, blocks = 0, bytes = 0] = checkpoint.tensors.get(`${name}_blocks`)?.shape ?? [];
  const [codes, scales] = [await checkpoint.read(`${name}_blocks`), await checkpoint.read(`${name}_scales`)];
  if (scales.length * bytes !== codes.length)
    throw new MismatchError(
      `${checkpoint.provenance.name}: ${name}_scales has ${scales.length} scales for ${codes.length / bytes} blocks. Take the model whole.`,
    );
  const values = new Float32Array(2 * codes.length);
  for (let index = 0; index < codes.length; index++) {
    const code = codes[index] as number;
    const scale = 2 ** ((scales[Math.floor(index / bytes)] as number) - SCALE_BIAS);
    values[2 * index] = (CODES[code & 15] as number) * scale;
    values[2 * index + 1] = (CODES[code >> 4] as number) * scale;
  }
  return { experts, rows, columns: blocks * bytes * 2, values };
}
