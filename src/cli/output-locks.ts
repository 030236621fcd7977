import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Command } from 'commander';
import { BusyError } from '../errors.ts';
import { makeFolder, throughLinks, tryDiskLock } from '../library/disk.ts';

/** Options that name what a command writes. */
const OUTPUTS = ['output', 'checkpoint'] as const;

/** The locks of what one command writes, so that no two commands write the same. */
export class OutputLocks {
  readonly #releases: (() => Promise<void>)[] = [];

  /** Takes them for the options of a command. Throws BusyError where another command has one. */
  async take(command: Command): Promise<void> {
    for (const option of OUTPUTS) {
      const path: unknown = command.getOptionValue(option);
      if (typeof path === 'string') await this.#takeOne(path);
    }
  }

  async release(): Promise<void> {
    for (const release of this.#releases.splice(0).reverse()) await release();
  }

  /**
   * The lock is a hidden file beside the output, which goes with it; one that a killed command left holds nothing. Where no lock can lie nothing can be written
   * either, which the command itself says.
   */
  async #takeOne(path: string): Promise<void> {
    const special = await stat(path).catch(() => undefined);
    if (special && !special.isFile() && !special.isDirectory()) return;
    let removeParents = async () => {};
    try {
      const target = await throughLinks(path);
      removeParents = await makeFolder(dirname(target));
      const lock = await tryDiskLock(join(dirname(target), `.${basename(target)}.lock`));
      if (lock) {
        this.#releases.push(async () => {
          await lock[Symbol.asyncDispose]();
          await removeParents();
        });
        return;
      }
    } catch {
      await removeParents();
      return;
    }
    throw new BusyError(
      `${path} is being written by another espalier command. Wait until it has ended, or name another output.`,
    );
  }
}
