import type { SafetensorsLayout } from '../../checkpoint/formats/safetensors/safetensors-write.ts';
import { MismatchError } from '../../errors.ts';
import type { LayerSums } from '../sums/layer-sums.ts';
import type { Numbers } from '../sums/sum-table.ts';
import { layOutSums, type SumsInfo, sumsContents } from './sums-file.ts';

/** Bytes go to places of it in any order. */
export interface RandomAccessSink {
  write(bytes: Uint8Array, position: number): Promise<void>;
}

/**
 * Writes a file of sums while they are made, one layer at a time: they may be too many to be kept. What the file will hold is declared beforehand, so its header is exact and written
 * first. Throws MismatchError for a tensor that was not declared, has another size or never came.
 */
export class SumsWriter {
  readonly #info: SumsInfo;
  readonly #layout: SafetensorsLayout;
  readonly #sink: RandomAccessSink;
  readonly #missing: Set<string>;

  constructor(info: SumsInfo, sink: RandomAccessSink) {
    this.#info = info;
    this.#layout = layOutSums(info);
    this.#sink = sink;
    this.#missing = new Set(this.#layout.places.keys());
  }

  /** Writes the sums of a layer. */
  async layer(index: number, sums: LayerSums): Promise<void> {
    for (const [key, data] of sums.tensors()) await this.#put(`layers.${index}.${key}`, data);
  }

  /** Writes the rest. Returns the size of the file in bytes. */
  async finish(losses: readonly number[]): Promise<number> {
    await this.#sink.write(this.#layout.header, 0);
    for (const [name, data] of sumsContents(this.#info, [], losses)) await this.#put(name, data);
    const [missing] = this.#missing;
    if (missing !== undefined) throw new MismatchError(`The tensor "${missing}" was declared and never written.`);
    return this.#layout.byteLength;
  }

  async #put(name: string, data: Numbers | Int32Array): Promise<void> {
    const place = this.#layout.places.get(name);
    if (place?.end !== (place?.start ?? 0) + data.byteLength)
      throw new MismatchError(`The tensor "${name}" of ${data.byteLength} bytes was not declared so.`);
    await this.#sink.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), place.start);
    this.#missing.delete(name);
  }
}
