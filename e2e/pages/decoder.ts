import { type DecodedTokens, type DecodeRandomOptions, decodeRandom } from '../../src/generate/testing/decode-random.ts';
import { createWebRuntime, webgpuSupport } from '../../src/runtime/web.ts';

/** What the test asks of this page. */
export interface DecoderPage {
  support: typeof webgpuSupport;
  run(backend: 'webgpu' | 'wasm', options: DecodeRandomOptions): Promise<DecodedTokens>;
}

const page: DecoderPage = {
  support: webgpuSupport,
  async run(backend, options) {
    using runtime = await createWebRuntime({ backend });
    return await decodeRandom(runtime, options);
  },
};

Object.assign(window, { decoderPage: page });
