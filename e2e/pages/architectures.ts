import { computeAll } from '../../src/architecture/testing/compute.ts';
import { openFolder } from '../../src/checkpoint/folder.ts';
import { memoryFiles } from '../../src/checkpoint/testing/memory-files.ts';
import { createWebRuntime, webgpuSupport } from '../../src/runtime/web.ts';

/** A model's files and windows of token ids, as they pass into a page. */
export interface ModelFiles {
  readonly files: Readonly<Record<string, readonly number[]>>;
  readonly windows: readonly (readonly number[])[];
}

export interface ComputedNumbers {
  readonly logits: readonly number[];
  readonly losses: readonly number[];
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

/** What the test asks of this page. */
export interface ArchitecturesPage {
  support: typeof webgpuSupport;
  run(backend: 'webgpu' | 'wasm', model: ModelFiles): Promise<ComputedNumbers>;
}

const page: ArchitecturesPage = {
  support: webgpuSupport,
  async run(backend, { files, windows }) {
    using runtime = await createWebRuntime({ backend });
    const bytes = Object.fromEntries(Object.entries(files).map(([name, values]) => [name, Uint8Array.from(values)]));
    const { logits, losses, gradients } = await computeAll(
      runtime,
      await openFolder(memoryFiles('fixture', bytes)),
      windows,
    );
    return {
      logits: [...logits],
      losses,
      gradients: Object.fromEntries([...gradients].map(([name, values]) => [name, [...values]])),
    };
  },
};

Object.assign(window, { architecturesPage: page });
