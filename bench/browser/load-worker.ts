import { expose } from 'comlink';
import { type Decoder, openDecoder } from '../../src/generate/decoder.ts';
import { shortlistGraph } from '../../src/generate/shortlist-graph.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { createWebRuntime } from '../../src/runtime/web.ts';

export interface LoadBench {
  /** Starts a runtime, with a session so that its WebAssembly is there. */
  prepare(backend: 'webgpu' | 'wasm'): Promise<string>;
  /** Opens the decoder below `url`, its weights streamed from a Blob or as one array, and decodes a token, so that nothing is put off. */
  load(url: string, streamed: boolean): Promise<void>;
}

let runtime: Runtime | undefined;
const kept: Decoder[] = [];

const bench: LoadBench = {
  async prepare(backend) {
    runtime = await createWebRuntime({ backend });
    (
      await runtime.createSession(shortlistGraph({ vocabulary: 8, count: 1, tempered: false, precision: 'float32' }))
    ).dispose();
    return runtime.description;
  },
  async load(url, streamed) {
    if (!runtime) throw new Error('prepare first');
    const weights = await fetch(`${url}_data`);
    const data = streamed ? await weights.blob() : new Uint8Array(await weights.arrayBuffer());
    const graph = new Uint8Array(await (await fetch(url)).arrayBuffer());
    const decoder = await openDecoder(runtime, graph, {
      externalData: { [`${url.split('/').at(-1)}_data`]: data },
      fixedCache: true,
    });
    kept.push(decoder);
    using sequence = decoder.start(8);
    await sequence.append([1, 2, 3]);
    await sequence.append([4]);
  },
};

expose(bench);
