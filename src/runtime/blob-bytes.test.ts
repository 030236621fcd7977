import { afterEach, expect, test, vi } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { decoderGraph } from '../decoder/decoder-graph.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { openDecoder } from '../generate/decoder.ts';
import { blobBytes } from './blob-bytes.ts';
import { createNodeRuntime } from './node.ts';
import { createWebRuntime } from './web.ts';

afterEach(() => vi.unstubAllGlobals());

/** A blob whose slices a worker could read at once; Node has none. */
function readable(contents: Uint8Array<ArrayBuffer>): Blob {
  return Object.assign(new Blob([contents]), {
    contents,
    slice: (start: number, end: number) => readable(contents.slice(start, end)),
  });
}

test('a main thread cannot wait for a blob', () => {
  expect(blobBytes(new Blob(['abc']))).toBeUndefined();
});

test('in a worker WebAssembly reads weights of a blob one tensor at a time, and decodes as the CPU does', async () => {
  const read: number[] = [];
  class FileReaderSync {
    readAsArrayBuffer({ contents }: Blob & { readonly contents: Uint8Array<ArrayBuffer> }): ArrayBuffer {
      read.push(contents.byteLength);
      return contents.buffer;
    }
  }
  vi.stubGlobal('FileReaderSync', FileReaderSync);
  const model = modelOf(randomLlama({ seed: 3 }));
  const { graph, weights } = decoderGraph(model);
  const chunks: Uint8Array[] = [];
  for await (const chunk of weights.chunks(model.checkpoint)) chunks.push(chunk.slice());
  const bytes = new Uint8Array(weights.byteLength);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  const logits = async (runtime: Awaited<ReturnType<typeof createWebRuntime>>, data: Uint8Array | Blob) => {
    using owned = runtime;
    using decoder = await openDecoder(owned, graph, { externalData: { [weights.location]: data } });
    using sequence = decoder.start(8);
    return await sequence.append([10, 20, 30]);
  };
  const found = await logits(await createWebRuntime({ backend: 'wasm', threads: 1 }), readable(bytes));
  const expected = await logits(await createNodeRuntime({ threads: 1 }), bytes);
  expect(Math.max(...found.map((value, index) => Math.abs(value - (expected[index] ?? Number.NaN))))).toBeLessThan(
    1e-5,
  );
  expect(read.length).toBeGreaterThan(10);
  expect(Math.max(...read)).toBeLessThan(weights.byteLength / 2);
});
