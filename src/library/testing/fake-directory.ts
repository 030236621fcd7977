/** A picked folder in memory, with what `directoryFolder` uses of the File System Access API. A file's content appears when its writable is closed, as in browsers. */
export class FakeDirectory {
  readonly #folders = new Map<string, FakeDirectory>();
  readonly #files = new Map<string, { content: Uint8Array[] }>();
  /** How many removals fail still, as they do while a file is being written. */
  lockedFor = 0;

  get handle(): FileSystemDirectoryHandle {
    return this as unknown as FileSystemDirectoryHandle;
  }

  /** Every file below, sorted. */
  paths(): string[] {
    const below = [...this.#folders].flatMap(([name, folder]) => folder.paths().map((path) => `${name}/${path}`));
    return [...this.#files.keys(), ...below].sort();
  }

  contentOf(path: string): string {
    const [first = '', ...rest] = path.split('/');
    if (rest.length > 0) return this.#folders.get(first)?.contentOf(rest.join('/')) ?? 'missing';
    return new TextDecoder().decode(Buffer.concat(this.#files.get(first)?.content ?? []));
  }

  async *keys(): AsyncGenerator<string> {
    yield* [...this.#folders.keys(), ...this.#files.keys()];
  }

  async getDirectoryHandle(name: string, { create = false } = {}): Promise<FakeDirectory> {
    const known = this.#folders.get(name);
    if (!known && !create) throw new DOMException(`No folder ${name}.`, 'NotFoundError');
    const folder = known ?? new FakeDirectory();
    this.#folders.set(name, folder);
    return folder;
  }

  async getFileHandle(name: string, { create = false } = {}) {
    const known = this.#files.get(name);
    if (!known && !create) throw new DOMException(`No file ${name}.`, 'NotFoundError');
    const file = known ?? { content: [] };
    this.#files.set(name, file);
    const written: Uint8Array[] = [];
    return {
      getFile: async () => new Blob(file.content as Uint8Array<ArrayBuffer>[]),
      createWritable: async () => ({
        write: async (chunk: Uint8Array) => void written.push(chunk.slice()),
        close: async () => {
          file.content = written;
        },
        abort: async () => undefined,
      }),
    };
  }

  async removeEntry(name: string): Promise<void> {
    if (this.lockedFor > 0) {
      this.lockedFor -= 1;
      throw new DOMException('A file in it is being written.', 'NoModificationAllowedError');
    }
    this.#folders.delete(name);
    this.#files.delete(name);
  }
}
