import { parseJsonRecord } from '../checkpoint/files/json.ts';
import { memorySource } from '../checkpoint/files/memory.ts';
import { safetensorsWeights } from '../checkpoint/formats/safetensors/safetensors.ts';
import { type WritableTensor, writeSafetensors } from '../checkpoint/formats/safetensors/safetensors-write.ts';
import { FileFormatError, MismatchError } from '../errors.ts';
import type { AdamWState } from './adamw.ts';

/** One optimiser step, or with `step` 0 the measurement before the first. */
export interface RecoveryRecord {
  /** Steps that were done. */
  readonly step: number;
  /** Mean loss of the step in nats, undefined for step 0. */
  readonly loss: number | undefined;
  /** In nats, where it was measured. */
  readonly heldOutLoss: number | undefined;
  /** Of that step. */
  readonly learningRate: number;
}

/** All that a training goes on from exactly: what is trained, the optimiser's moments, the best so far, and how it went. */
export interface TrainingState {
  readonly optimiser: AdamWState;
  /** In the order of `adapterParameters`. */
  readonly parameters: readonly Float32Array[];
  readonly best: { readonly step: number; readonly loss: number; readonly parameters: readonly Float32Array[] };
  readonly history: readonly RecoveryRecord[];
  /** Held-out loss of the model that was given. */
  readonly heldOutBefore: number;
  /** Trained tokens and seconds of training so far. */
  readonly tokens: number;
  readonly seconds: number;
}

const FORMAT = 'espalier-recovery/1';
const KINDS = ['parameters', 'best', 'first', 'second'] as const;

/** The bytes of a state: a safetensors file, tensors `<kind>.<index>`, the rest as metadata. `fingerprint` says of which training it is. */
export function encodeTraining(
  { optimiser, parameters, best, ...rest }: TrainingState,
  fingerprint: string,
): Uint8Array {
  const lists = { parameters, best: best.parameters, first: optimiser.first, second: optimiser.second };
  const tensors = new Map<string, WritableTensor>();
  for (const kind of KINDS)
    for (const [index, data] of lists[kind].entries())
      tensors.set(`${kind}.${index}`, { dtype: 'F32', shape: [data.length], data });
  const record = { ...rest, optimiserStep: optimiser.step, bestStep: best.step, bestLoss: best.loss };
  return writeSafetensors(tensors, { format: FORMAT, fingerprint, training: JSON.stringify(record) });
}

/**
 * Reads a state back. `sizes`: those of the parameters. Throws FileFormatError for bytes that are no such state, MismatchError for one of another training.
 */
export async function decodeTraining(
  bytes: Uint8Array,
  fingerprint: string,
  sizes: readonly number[],
): Promise<TrainingState> {
  const weights = await safetensorsWeights([memorySource('The recovery checkpoint', bytes)]);
  const metadata = metadataOf(bytes);
  if (metadata.format !== FORMAT)
    throw new FileFormatError(
      `The recovery checkpoint has the format ${JSON.stringify(metadata.format)}; "${FORMAT}" is expected. Name another file.`,
    );
  if (metadata.fingerprint !== fingerprint)
    throw new MismatchError(
      'The recovery checkpoint is of another training: model, plan, text or options differ. Give the same ones; to start anew, remove it or name another checkpoint.',
    );
  const list = (kind: (typeof KINDS)[number]) =>
    Promise.all(
      sizes.map(async (size, index) => {
        const data = await weights.read(`${kind}.${index}`);
        if (data.length !== size)
          throw new FileFormatError(
            `The recovery checkpoint has ${data.length} values in ${kind}.${index}; ${size} are expected. Remove it to start anew, or name another.`,
          );
        return data;
      }),
    );
  const record = parseJsonRecord(
    new TextEncoder().encode(String(metadata.training)),
    'The recovery checkpoint',
  ) as unknown as Omit<TrainingState, 'optimiser' | 'parameters' | 'best'> & {
    readonly optimiserStep: number;
    readonly bestStep: number;
    readonly bestLoss: number;
  };
  const { optimiserStep, bestStep, bestLoss, history, heldOutBefore, tokens, seconds } = record;
  return {
    optimiser: { step: optimiserStep, first: await list('first'), second: await list('second') },
    parameters: await list('parameters'),
    best: { step: bestStep, loss: bestLoss, parameters: await list('best') },
    history,
    heldOutBefore,
    tokens,
    seconds,
  };
}

/** The metadata of a safetensors file whose tensors were read already, so that its header is known to be sound. */
function metadataOf(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = parseJsonRecord(bytes.subarray(8, 8 + length), 'The recovery checkpoint');
  return (header.__metadata__ ?? {}) as Readonly<Record<string, unknown>>;
}
