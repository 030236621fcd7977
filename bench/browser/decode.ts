import { env } from '@huggingface/transformers';
import { openDecoder } from '../../src/generate/decoder.ts';
import { readModel } from '../../src/onnx/read.ts';
import { createWebRuntime } from '../../src/runtime/web.ts';
import type { Lap, Timed } from '../decode-lap.ts';
import { ownLap, transformersLoop } from '../decode-loops.ts';
import type { BenchModel } from '../decode-models.ts';
import { DispatchCounter } from '../gpu/dispatch-counter.ts';

export interface BrowserBench {
  run(options: {
    readonly backend: 'webgpu' | 'wasm';
    readonly models: readonly BenchModel[];
    readonly file: string;
    /** The dense model as a decoder of single tokens, to be captured. */
    readonly singleToken: { readonly file: string; readonly capacity: number } | undefined;
    readonly prompt: readonly number[];
    readonly newTokens: number;
    readonly rounds: number;
  }): Promise<{ readonly description: string; readonly timed: readonly Timed[] }>;
}

const bytesOf = async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer());

const blobOf = async (url: string) => (await fetch(url)).blob();

const bench: BrowserBench = {
  async run({ backend, models, file, singleToken, prompt, newTokens, rounds }) {
    const counter = backend === 'webgpu' ? new DispatchCounter() : undefined;
    using runtime = await createWebRuntime({ backend });
    Object.assign(env.backends.onnx.wasm ?? {}, {
      wasmPaths: new URL('/ort-transformers/', location.href).href,
      numThreads: navigator.hardwareConcurrency,
    });
    const contestants: {
      name: string;
      bytes: number;
      lap: (tokens: number) => Promise<Lap>;
      laps: Lap[];
      dispatches?: Readonly<Record<string, number>>;
    }[] = [];
    for (const model of models) {
      const url = `/models/${model.folder}/onnx/${file}`;
      const decoder = await openDecoder(runtime, await bytesOf(url), {
        externalData: { [`${file}_data`]: await blobOf(`${url}_data`) },
        fixedCache: true,
      });
      contestants.push({ ...model, lap: (tokens) => ownLap(decoder, prompt, tokens), laps: [] });
      if (model.name !== 'dense') continue;
      if (singleToken) {
        const graph = readModel(await bytesOf(`/models/dense/onnx/${singleToken.file}`));
        const externalData = { [`${file}_data`]: await blobOf(`${url}_data`) };
        const captured = await openDecoder(runtime, await bytesOf(url), {
          externalData,
          fixedCache: true,
          singleToken: { graph, capacity: singleToken.capacity },
        });
        contestants.push({
          ...model,
          name: 'dense, captured',
          lap: (tokens) => ownLap(captured, prompt, tokens),
          laps: [],
        });
      }
      const theirs = await transformersLoop('/models/', model.folder, { device: backend });
      contestants.push({ ...model, name: 'dense, transformers.js', lap: (tokens) => theirs(prompt, tokens), laps: [] });
    }
    for (const contestant of contestants) {
      // Past the tokens that are compared before a capture is trusted.
      await contestant.lap(5);
      if (counter) {
        const count = async (tokens: number) => {
          counter.take();
          await contestant.lap(tokens);
          return counter.take();
        };
        const [fewer, more] = [await count(2), await count(3)];
        contestant.dispatches = Object.fromEntries(
          Object.entries(more)
            .map(([name, times]) => [name, times - (fewer[name] ?? 0)] as const)
            .filter(([, times]) => times > 0),
        );
      }
    }
    for (let round = 0; round < rounds; round++)
      for (const { lap, laps } of contestants) laps.push(await lap(newTokens));
    return {
      description: runtime.description,
      timed: contestants.map(({ name, bytes, laps, dispatches: counted }) => ({
        name,
        bytes,
        laps,
        dispatches: counted,
      })),
    };
  },
};

Object.assign(window, { browserBench: bench });
