import { modelOf } from '../../src/architecture/model.ts';
import { randomLlama } from '../../src/export/testing/random-llama.ts';
import { decoderForModel } from '../../src/generate/model-decoder.ts';
import { RecoveringSequence } from '../../src/generate/recovering-sequence.ts';
import { reopenElsewhere } from '../../src/generate/reopen.ts';
import { createSampler } from '../../src/generate/sampling.ts';
import {
  type DecodedTokens,
  type DecodeRandomOptions,
  decodeRandom,
  differenceToBlocks,
} from '../../src/generate/testing/decode-random.ts';
import { seededRandom } from '../../src/random.ts';
import { createWebRuntime, type WebGpuRuntime, webgpuSupport } from '../../src/runtime/web.ts';

/** What happens to the device after a few tokens. */
export type Fault = 'none' | 'lost' | 'out of memory';

/** What the test asks of this page. */
export interface DecoderPage {
  support: typeof webgpuSupport;
  /** All cases on one runtime, whose compiled pipelines they share. */
  run(
    backend: 'webgpu' | 'wasm',
    cases: Readonly<Record<string, DecodeRandomOptions>>,
  ): Promise<Record<string, DecodedTokens>>;
  differenceToBlocks(
    backend: 'webgpu' | 'wasm',
    cases: readonly DecodeRandomOptions[],
    promptTokens: number,
  ): Promise<number[]>;
  /** Greedy tokens on WebGPU through a fault, the backends that were opened for it, and what was told. */
  survive(
    fault: Fault,
  ): Promise<{ readonly tokenIds: number[]; readonly opened: string[]; readonly sentences: string[] }>;
}

/** The next buffer that is asked for finds no memory: as a driver tells it, by an event after the call. */
function failNextAllocation({ device }: WebGpuRuntime): void {
  const createBuffer = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    device.createBuffer = createBuffer;
    device.dispatchEvent(
      new GPUUncapturedErrorEvent('uncapturederror', { error: new GPUOutOfMemoryError('injected by the test') }),
    );
    return createBuffer(descriptor);
  };
}

const page: DecoderPage = {
  support: webgpuSupport,
  async run(backend, cases) {
    using runtime = await createWebRuntime({ backend });
    const found: Record<string, DecodedTokens> = {};
    for (const [name, options] of Object.entries(cases)) found[name] = await decodeRandom(runtime, options);
    return found;
  },
  async differenceToBlocks(backend, cases, promptTokens) {
    using runtime = await createWebRuntime({ backend });
    const differences = [];
    for (const options of cases) differences.push(await differenceToBlocks(runtime, options, promptTokens));
    return differences;
  },
  async survive(fault) {
    const model = modelOf(randomLlama({ seed: 3 }));
    const runtime = await createWebRuntime({ backend: 'webgpu' });
    const opened: string[] = [];
    const sentences: string[] = [];
    const reopen = reopenElsewhere(model, (backend) => {
      opened.push(backend);
      return createWebRuntime({ backend });
    });
    using decoder = await decoderForModel(runtime, model, { owned: runtime });
    using sequence = new RecoveringSequence(decoder, {
      capacity: 24,
      reopen,
      onRecovered: (sentence) => sentences.push(sentence),
    });
    const sampler = createSampler({}, seededRandom(0));
    const history = [10, 20, 30, 40, 50];
    let next = [...history];
    while (history.length < 13) {
      if (history.length === 8 && fault === 'lost') runtime.device.destroy();
      if (history.length === 8 && fault === 'out of memory') failNextAllocation(runtime);
      const { tokenId } = await sequence.choose(next, sampler, history);
      history.push(tokenId);
      next = [tokenId];
    }
    return { tokenIds: history.slice(5), opened, sentences };
  },
};

Object.assign(window, { decoderPage: page });
