import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LayerSums } from '../importance/sums/layer-sums.ts';
import { makeFolder, throughLinks, written } from '../library/disk.ts';
import { type RandomAccessSink, type SumsInfo, SumsWriter } from '../library/score-file.ts';
import type { SumsSink } from '../library/score-shard.ts';

/** Writes the sums of a shard to disk while it is scored. The file appears under its name with `publish`; until then, and after `discard`, there is nothing. */
export class SumsFileWriter implements SumsSink {
  /** Size of the finished file. */
  bytes = 0;
  readonly #path: string;
  /** What a link at `#path` points to. */
  #target = '';
  #temporary = '';
  #opened: { readonly file: FileHandle; readonly writer: SumsWriter } | undefined;
  #removeParents = async () => {};

  constructor(path: string) {
    this.#path = path;
  }

  async start(info: SumsInfo): Promise<void> {
    this.#target = await throughLinks(this.#path);
    this.#temporary = `${this.#target}.${randomBytes(4).toString('hex')}.partial`;
    this.#removeParents = await makeFolder(dirname(this.#target));
    const file = await written(this.#path, open(this.#temporary, 'wx'));
    this.#opened = { file, writer: new SumsWriter(info, sinkOf(file, this.#path)) };
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
    await written(this.#path, file.sync());
    this.#opened = undefined;
    await file.close();
    await written(this.#path, rename(this.#temporary, this.#target));
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

function sinkOf(file: FileHandle, path: string): RandomAccessSink {
  return {
    async write(bytes, position) {
      for (let done = 0; done < bytes.length; )
        done += (await written(path, file.write(bytes, done, bytes.length - done, position + done))).bytesWritten;
    },
  };
}
