import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from '../export/disk.ts';
import { layerTensors, type PartialInfo, type PartialTensor, partialHeader } from '../importance/files/partial-file.ts';
import type { LayerPartial } from '../importance/sums/shards.ts';
import type { PartialSink } from '../library/score-shard.ts';

/** Bytes of the header that one tensor may take: its name, type, shape and offsets. */
const ENTRY_BYTES = 200;
/** Sums and constants at most per member weight, and per layer beside them. */
const TENSORS = { member: 10, layer: 12 };
/** Room for the numbers that are not known yet. */
const SPARE_BYTES = 4096;

const TYPES = new Map<unknown, string>([
  [Float32Array, 'F32'],
  [Float64Array, 'F64'],
  [Int32Array, 'I32'],
]);

/**
 * Writes the file of a shard while it is scored: a safetensors file whose header gets a reserved place, because the tensors come one layer at a time and are too many
 * to be kept. It appears under its name with `finish`; until then, and after `discard`, there is nothing.
 */
export class PartialWriter implements PartialSink {
  readonly #path: string;
  readonly #temporary: string;
  #file: FileHandle | undefined;
  #removeParents = async () => {};
  #reserved = 0;
  #position = 0;
  readonly #entries: [string, unknown][] = [];

  constructor(path: string) {
    this.#path = path;
    this.#temporary = `${path}.${randomBytes(4).toString('hex')}.partial`;
  }

  async start(info: PartialInfo): Promise<void> {
    this.#removeParents = await makeFolder(dirname(this.#path));
    this.#file = await open(this.#temporary, 'wx');
    const { metadata, tensors } = partialHeader(info);
    const members = info.structures.flat().reduce((sum, structure) => sum + structure.members.length, 0);
    const entries = tensors.length + TENSORS.member * members + TENSORS.layer * info.structures.length;
    this.#reserved = 8 * Math.ceil((JSON.stringify(metadata).length + SPARE_BYTES + ENTRY_BYTES * entries) / 8);
    for (const tensor of tensors) await this.#add(tensor);
  }

  async layer(index: number, partial: LayerPartial): Promise<void> {
    for (const tensor of layerTensors(index, partial)) await this.#add(tensor);
  }

  /** Writes the header and gives the file its name. Returns its size in bytes. */
  async finish(info: PartialInfo): Promise<number> {
    const file = this.#opened();
    const header = new Uint8Array(8 + this.#reserved).fill(0x20);
    const json = new TextEncoder().encode(
      JSON.stringify(Object.fromEntries([['__metadata__', partialHeader(info).metadata], ...this.#entries])),
    );
    if (json.length > this.#reserved)
      throw new Error(`The header of ${this.#path} needs ${json.length} bytes; ${this.#reserved} were reserved.`);
    new DataView(header.buffer).setBigUint64(0, BigInt(this.#reserved), true);
    header.set(json, 8);
    await file.write(header, 0, header.length, 0);
    await file.sync();
    await this.#close();
    await rename(this.#temporary, this.#path);
    return header.length + this.#position;
  }

  /** Removes what was written; does nothing after `finish`. */
  async discard(): Promise<void> {
    if (!this.#file) return;
    await this.#close();
    await rm(this.#temporary, { force: true });
    await this.#removeParents();
  }

  async #add({ name, data }: PartialTensor): Promise<void> {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const start = this.#position;
    this.#entries.push([
      name,
      { dtype: TYPES.get(data.constructor), shape: [data.length], data_offsets: [start, start + bytes.length] },
    ]);
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#opened().write(
        bytes,
        done,
        bytes.length - done,
        8 + this.#reserved + start + done,
      );
      done += bytesWritten;
    }
    this.#position += bytes.length;
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  #opened(): FileHandle {
    if (!this.#file) throw new Error('PartialWriter: call start first, and nothing after finish or discard.');
    return this.#file;
  }
}
