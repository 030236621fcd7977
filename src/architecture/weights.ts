import { elementCount } from '../arrays.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { MismatchError, MissingError, UnsupportedError } from '../errors.ts';
import type { DeviceTensor, HostTensor, Runtime } from '../runtime/runtime.ts';
import type { WeightBinding } from './architecture.ts';
import { assignment } from './experts.ts';
import { narrowed, type Precision } from './precision.ts';

/** Weights of one program in host memory, by graph input. */
export type HostWeights = Readonly<Record<string, HostTensor>>;

/** Weights of one program on the device; disposing frees all of them. */
export class DeviceWeights implements Disposable {
  readonly tensors: Readonly<Record<string, DeviceTensor>>;
  constructor(tensors: Readonly<Record<string, DeviceTensor>>) {
    this.tensors = tensors;
  }
  dispose(): void {
    for (const tensor of Object.values(this.tensors)) tensor.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Reads the weights of one program. Throws MissingError and MismatchError naming tensor, shape found and shape expected. */
export async function readWeights(checkpoint: Checkpoint, bindings: readonly WeightBinding[]): Promise<HostWeights> {
  const entries = await Promise.all(
    bindings.map(async (binding) => [binding.input, await readWeight(checkpoint, binding)] as const),
  );
  return Object.fromEntries(entries);
}

async function readWeight(checkpoint: Checkpoint, binding: WeightBinding): Promise<HostTensor> {
  const { tensor, shape, rows } = binding;
  if (binding.assignment) return { dataType: 'float32', shape, data: assignment(binding.assignment) };
  if (binding.optional && !checkpoint.tensors.has(tensor))
    return { dataType: 'float32', shape, data: new Float32Array(elementCount(shape)) };
  checkWeight(checkpoint, binding);
  const data = await checkpoint.read(tensor, rows);
  const { offset } = binding;
  return { dataType: 'float32', shape, data: offset ? data.map((value) => value + offset) : data };
}

/** Checks presence and shape of a bound tensor, and that it holds no codes, without reading it. */
export function checkWeight(
  checkpoint: Checkpoint,
  { tensor, shape, rows, optional, assignment: made }: WeightBinding,
): void {
  if (made) return;
  const info = checkpoint.tensors.get(tensor);
  if (!info) {
    if (optional) return;
    throw new MissingError(
      `${checkpoint.provenance.name} has no tensor ${tensor}; the file is incomplete or of another architecture than its config.json says. ${
        tensor === 'lm_head.weight'
          ? 'If its output matrix is the embedding, set tie_word_embeddings to true in config.json; else take the model whole.'
          : 'Take the model whole, with the config.json that belongs to it.'
      }`,
    );
  }
  const found = rows ? [rows.end - rows.start, ...info.shape.slice(1)] : info.shape;
  if (info.shape.includes(0) && !shape.includes(0))
    throw new MismatchError(
      `${checkpoint.provenance.name}: tensor ${tensor} is empty: it was saved while its values lay on several processes (DeepSpeed ZeRO-3, FSDP). Save the model again with its weights gathered, e.g. by zero_to_fp32.py.`,
    );
  if (
    (rows && info.shape[0] !== rows.of) ||
    found.length !== shape.length ||
    found.some((size, axis) => size !== shape[axis])
  ) {
    throw new MismatchError(
      `${checkpoint.provenance.name}: tensor ${tensor} has shape [${info.shape.join(', ')}], but config.json asks for [${[rows?.of ?? shape[0], ...shape.slice(1)].join(', ')}]. Take the config.json that belongs to these weights.`,
    );
  }
  if (/^[IU]\d+$/.test(info.storage))
    throw new UnsupportedError(
      `${checkpoint.provenance.name}: tensor ${tensor} is stored as ${info.storage}, in integers: the codes of a quantisation without its scales. Take the model in half precision, or as a GGUF file.`,
    );
}

/** Copies host weights to the device, for programs of a precision. */
export function uploadWeights(runtime: Runtime, weights: HostWeights, precision: Precision = 'f32'): DeviceWeights {
  return new DeviceWeights(
    Object.fromEntries(
      Object.entries(weights).map(([input, tensor]) => [input, runtime.upload(narrowed(tensor, precision))]),
    ),
  );
}
