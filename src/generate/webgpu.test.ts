import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { openFixture, relativeDifference } from '../architecture/testing/fixture.ts';
import { diskFolder } from '../checkpoint/files/disk.ts';
import { openCheckpoint } from '../checkpoint/folder.ts';
import type { ExportDataType } from '../decoder/dtypes.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { seededRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { createNodeWebGpuRuntime } from '../runtime/node-webgpu.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { describeOnWebGpu, GPU_TIMEOUT } from '../runtime/testing/webgpu.ts';
import type { WebGpuRuntime } from '../runtime/webgpu-runtime.ts';
import { decoderForModel } from './model-decoder.ts';
import { RecoveringSequence } from './recovering-sequence.ts';
import { reopenElsewhere } from './reopen.ts';
import { createSampler, greatest } from './sampling.ts';
import { type DecodeRandomOptions, decodeRandom } from './testing/decode-random.ts';

const PRUNED = {
  widths: [
    { keyValueHeads: 1, neurons: 17 },
    { keyValueHeads: 0, neurons: 0 },
    { keyValueHeads: 2, neurons: 40 },
  ],
};

/** By name; half precision is left out on adapters that have none. */
const CASES: Readonly<Record<string, DecodeRandomOptions>> = {
  'a dense decoder, cache in place': { model: {}, dataType: 'f32', cache: 'fixed' },
  'a dense decoder, growing cache': { model: {}, dataType: 'f32', cache: 'growing' },
  'a pruned decoder with biases, captured': { model: { ...PRUNED, biases: true }, dataType: 'f32', cache: 'captured' },
  'a pruned decoder': { model: PRUNED, dataType: 'f32', cache: 'fixed' },
  'a decoder that rotates apart': { model: { headDimension: 8 }, dataType: 'f32', cache: 'fixed' },
  'a decoder in ordinary operators': { model: { headDimension: 12 }, dataType: 'f32', cache: 'growing' },
  'an 8-bit decoder': { model: { hiddenSize: 64, neurons: 64 }, dataType: 'q8', cache: 'fixed' },
  'a 4-bit decoder with ragged widths': { model: PRUNED, dataType: 'q4', cache: 'fixed' },
  'a pruned decoder in half precision': { model: PRUNED, dataType: 'f16', cache: 'fixed' },
};

const stories = async () =>
  modelOf(await openCheckpoint(await diskFolder('public/models/stories'), { name: 'stories' }));

// Long prompts take other kernels of attention, which drivers in software compile for minutes: they run in browsers (e2e/decoder.spec.ts).
describeOnWebGpu('decoding on WebGPU', { timeout: GPU_TIMEOUT }, () => {
  let card: WebGpuRuntime;
  let processor: Runtime;
  beforeAll(async () => {
    card = await createNodeWebGpuRuntime();
    processor = await createNodeRuntime({ threads: 1 });
  }, GPU_TIMEOUT);
  afterAll(() => {
    expect(card.statistics()).toMatchObject({ liveTensors: 0, liveBytes: 0 });
    for (const runtime of [card, processor]) runtime.dispose();
  });
  const computes = (dataType: ExportDataType) => dataType !== 'f16' || card.adapter?.halfPrecision === true;

  test.each(Object.entries(CASES))('%s gives what the processor gives', async (_, options) => {
    if (!computes(options.dataType)) return;
    const [expected, actual] = [await decodeRandom(processor, options), await decodeRandom(card, options)];
    const differences = expected.logits.map((row, step) =>
      Math.max(...row.map((value, id) => Math.abs(value - (actual.logits[step]?.[id] ?? Number.NaN)))),
    );
    expect(actual.tokenIds).toEqual(expected.tokenIds);
    expect(Math.max(...differences)).toBeLessThan(options.dataType === 'f32' ? 1e-4 : 0.5);
  });

  // ONNX Runtime has kernels of its own for both states of a gated delta net.
  test('gated delta nets give what the processor gives', async () => {
    const { checkpoint, windows } = await openFixture('qwen3-5');
    const [[first, ...rest] = []] = windows;
    const logitsOn = async (runtime: Runtime) => {
      using decoder = await decoderForModel(runtime, modelOf(checkpoint));
      using sequence = decoder.start(32);
      const rows = [await sequence.append([first ?? 0, ...rest])];
      for (const token of [5, 9]) rows.push(await sequence.append([token]));
      return rows.map((row) => [...row]);
    };
    const [expected, actual] = [await logitsOn(processor), await logitsOn(card)];
    for (const [step, row] of expected.entries())
      expect(relativeDifference(actual[step] ?? [], row)).toBeLessThan(1e-4);
  });

  // The processor rounds activations to bytes in coarse formats, so that tokens that are nearly as probable may change places.
  test.each([
    ['f32', 1e-4],
    ['q4', 0.03],
  ] as const)('the first words of stories in %s are those of the processor', async (dataType, allowed) => {
    using expected = await decoderForModel(processor, await stories(), { dataType });
    using found = await decoderForModel(card, await stories(), { dataType });
    using ofProcessor = expected.start(32);
    using ofCard = found.start(32);
    for (let step = 0, ids = [1, 403, 407, 261, 378]; step < 12; step++) {
      const [truth, row] = [[...(await ofProcessor.append(ids))], [...(await ofCard.append(ids))]];
      expect(relativeDifference(row, truth)).toBeLessThan(allowed);
      const best = greatest(Float32Array.from(truth));
      if (dataType === 'f32') expect(greatest(Float32Array.from(row))).toBe(best);
      ids = [best];
    }
  });

  describe('goes on with the same tokens', () => {
    test.each(['lost', 'out of memory'] as const)('when the device is %s', async (fault) => {
      const model = modelOf(randomLlama({ seed: 3 }));
      const survive = async (failing: boolean) => {
        const runtime = await createNodeWebGpuRuntime();
        const opened: string[] = [];
        const sentences: string[] = [];
        const reopen = reopenElsewhere(model, (backend) => {
          opened.push(backend);
          return backend === 'webgpu' ? createNodeWebGpuRuntime() : createNodeRuntime({ threads: 1 });
        });
        using decoder = await decoderForModel(runtime, model, { owned: runtime });
        const onRecovered = (sentence: string) => sentences.push(sentence);
        using sequence = new RecoveringSequence(decoder, { capacity: 24, reopen, onRecovered });
        const sampler = createSampler({}, seededRandom(0));
        const history = [10, 20, 30, 40, 50];
        for (let next = [...history]; history.length < 13; ) {
          if (failing && history.length === 8)
            if (fault === 'lost') runtime.device.destroy();
            else failNextAllocation(runtime);
          const { tokenId } = await sequence.choose(next, sampler, history);
          history.push(tokenId);
          next = [tokenId];
        }
        return { tokenIds: history.slice(5), opened, sentences };
      };
      const expected = await survive(false);
      expect(expected).toMatchObject({ opened: [], sentences: [] });
      const found = await survive(true);
      expect(found).toMatchObject({ tokenIds: expected.tokenIds, opened: [fault === 'lost' ? 'webgpu' : 'wasm'] });
      expect(found.sentences).toEqual([
        expect.stringMatching(
          fault === 'lost'
            ? /the graphics device was lost .* The model was opened again: decoder of .* on WebGPU/
            : /out of memory \(injected by the test\).* The model was opened again: decoder of .* on Node CPU/,
        ),
      ]);
    });
  });
});

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
