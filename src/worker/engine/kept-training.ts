import { isRecord, type JsonRecord, parseJsonRecord } from '../../checkpoint/files/json.ts';
import { FileFormatError } from '../../errors.ts';
import type { RecoveryCheckpoint, RecoveryProgress, RecoveryRecord } from '../../library/recover.ts';
import { type KeptFile, lenient } from './kept-file.ts';

const FORMAT = 'espalier-kept-training/2';

/** Writing takes at most this share of a training's time. */
const WRITING_SHARE = 1 / 50;

/** What a training is called by. */
export interface TrainingSettings {
  readonly method: 'group-wise' | 'lora';
  /** Of 'group-wise'. */
  readonly bits: 4 | 8;
  readonly steps: number;
}

/** The training that is kept in this browser: finished when its last record is of its last step. */
export interface KeptTraining extends TrainingSettings {
  /** Of the pruned model. */
  readonly ratio: number;
  /** Held-out loss of the pruned model, in nats. */
  readonly heldOutBefore: number;
  /** The losses so far, by step. */
  readonly records: readonly RecoveryRecord[];
  /** Whether it is the training that was asked for: model, plan, repair, text and settings are the same. */
  readonly same: boolean;
}

/** What a training is known by and what is told of it, in front of its state. */
interface Head extends Omit<KeptTraining, 'same'> {
  /** Of model, plan, text and settings. */
  readonly key: string;
}

/** A training that is under way: its checkpoint for `recover`, and what its steps are told to. */
export interface TrackedTraining {
  /** Whether it goes on from what was kept. */
  readonly resumed: boolean;
  readonly checkpoint: RecoveryCheckpoint;
  onProgress(progress: RecoveryProgress): void;
}

/**
 * The one training that outlives a reload, unfinished or finished: its state with the losses so far, in one file. Another training takes its place; what cannot be read counts as nothing.
 * Without a file nothing is kept.
 */
export class TrainingKeeper {
  readonly #file: KeptFile | undefined;
  /** What the file says, once it was read: asked for at every change of the settings. */
  #head: Head | undefined;
  #read = false;

  constructor(file: KeptFile | undefined) {
    this.#file = file && lenient(file);
  }

  /** The training that is kept, and whether it is that of `key`, which is asked for only then. */
  async find(key: () => Promise<string>): Promise<KeptTraining | undefined> {
    if (!this.#read) await this.#load();
    if (!this.#head) return undefined;
    const { key: own, ...kept } = this.#head;
    return { ...kept, same: own === (await key()) };
  }

  /** Begins the training of a key: from what is kept of it where `resume` says so, else anew, and then what was kept is forgotten. */
  async begin(
    about: Omit<Head, 'records' | 'heldOutBefore'>,
    resume: boolean,
    signal: AbortSignal | undefined,
  ): Promise<TrackedTraining> {
    const kept = resume ? await this.#load() : undefined;
    const own = kept?.head.key === about.key ? kept : undefined;
    if (!own) await this.clear();
    const records = new Map((own?.head.records ?? []).map((record) => [record.step, record]));
    let heldOutBefore = own?.head.heldOutBefore ?? Number.NaN;
    let due = 0;
    return {
      resumed: own !== undefined,
      onProgress: ({ step, loss, heldOutLoss, learningRate, heldOutBefore: before }) => {
        heldOutBefore = before;
        const known = records.get(step);
        records.set(step, {
          step,
          loss: loss ?? known?.loss,
          heldOutLoss: heldOutLoss ?? known?.heldOutLoss,
          learningRate,
        });
      },
      checkpoint: {
        every: 1,
        read: async () => own?.state,
        write: async (state) => {
          const started = performance.now();
          if (started < due && !signal?.aborted && records.get(about.steps)?.heldOutLoss === undefined) return;
          await this.#save({ ...about, heldOutBefore, records: [...records.values()] }, state);
          const ended = performance.now();
          due = ended + (ended - started) / WRITING_SHARE;
        },
      },
    };
  }

  /** Forgets what is kept. */
  async clear(): Promise<void> {
    this.#remember(undefined);
    await this.#file?.clear();
  }

  #remember(head: Head | undefined): void {
    this.#head = head;
    this.#read = true;
  }

  async #save(head: Head, state: Uint8Array): Promise<void> {
    this.#remember(head);
    await this.#file?.save(encodeKept(head, state));
  }

  async #load(): Promise<{ readonly head: Head; readonly state: Uint8Array } | undefined> {
    const bytes = await this.#file?.load();
    const kept = bytes && decodeKept(bytes);
    this.#remember(kept?.head);
    return kept;
  }
}

/** Length of the head as 4 bytes, little-endian, the head as JSON, then the state. */
function encodeKept(head: Head, state: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify({ format: FORMAT, ...head }));
  const bytes = new Uint8Array(4 + text.length + state.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  bytes.set(state, 4 + text.length);
  return bytes;
}

/** Undefined for bytes that are no kept training: of another version, or damaged. */
function decodeKept(bytes: Uint8Array): { readonly head: Head; readonly state: Uint8Array } | undefined {
  if (bytes.length < 4) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (length > bytes.length - 4) return undefined;
  try {
    const { format, ...head } = parseJsonRecord(bytes.subarray(4, 4 + length), 'The kept training');
    if (format !== FORMAT || !isHead(head)) return undefined;
    // A copy: tensors are read where their bytes are aligned.
    return { head: { ...head, records: head.records.map(readRecord) }, state: bytes.slice(4 + length) };
  } catch (error) {
    if (error instanceof FileFormatError) return undefined;
    throw error;
  }
}

function isHead(value: JsonRecord): value is JsonRecord & Head {
  const { key, ratio, method, bits, steps, heldOutBefore, records } = value;
  const areNumbers = [ratio, bits, steps, heldOutBefore].every(Number.isFinite);
  return (
    typeof key === 'string' &&
    areNumbers &&
    typeof method === 'string' &&
    Array.isArray(records) &&
    records.every(isRecord)
  );
}

/** Losses that are absent, or were no numbers, are null in JSON or not there. */
function readRecord({ step, loss, heldOutLoss, learningRate }: RecoveryRecord): RecoveryRecord {
  return { step, loss: loss ?? undefined, heldOutLoss: heldOutLoss ?? undefined, learningRate };
}
