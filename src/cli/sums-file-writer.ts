import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeFolder } from '../export/disk.ts';
import type { SumsInfo } from '../importance/files/sums-file.ts';
import { type RandomAccessSink, SumsWriter } from '../importance/files/sums-writer.ts';
import type { LayerSums } from '../importance/sums/layer-sums.ts';
import type { SumsSink } from '../library/score-shard.ts';

/** Writes the sums of a shard to disk while it is scored. The file appears under its name with `publish`; until then, and after `discard`, there is nothing. */
export class SumsFileWriter implements SumsSink {
  /** Size of the finished file. */
  bytes = 0;
  readonly #path: string;
  readonly #temporary: string;
  #opened: { readonly file: FileHandle; readonly writer: SumsWriter } | undefined;
  #removeParents = async () => {};

  constructor(path: string) {
    this.#path = path;
    this.#temporary = `${path}.${randomBytes(4).toString('hex')}.partial`;
  }

  async start(info: SumsInfo): Promise<void> {
    this.#removeParents = await makeFolder(dirname(this.#path));
    const file = await open(this.#temporary, 'wx');
    this.#opened = { file, writer: new SumsWriter(info, sinkOf(file)) };
  }

  layer(index: number, sums: LayerSums): Promise<void> {
    return this.#running().writer.layer(index, sums);
  }

  async finish(losses: readonly number[]): Promise<void> {
    this.bytes = await this.#running().writer.finish(losses);
  }

  /** Gives the finished file its name. */
  async publish(): Promise<void> {
    const { file } = this.#running();
    await file.sync();
    this.#opened = undefined;
    await file.close();
    await rename(this.#temporary, this.#path);
  }

  /** Removes what was written; does nothing after `publish`. */
  async discard(): Promise<void> {
    if (!this.#opened) return;
    const { file } = this.#opened;
    this.#opened = undefined;
    await file.close();
    await rm(this.#temporary, { force: true });
    await this.#removeParents();
  }

  #running() {
    if (!this.#opened) throw new Error('SumsFileWriter: call start first, and nothing after publish or discard.');
    return this.#opened;
  }
}

function sinkOf(file: FileHandle): RandomAccessSink {
  return {
    async write(bytes, position) {
      for (let done = 0; done < bytes.length; )
        done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    },
  };
}
