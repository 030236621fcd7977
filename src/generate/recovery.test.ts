import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { Programs } from '../architecture/programs.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import { DeviceLostError, OutOfMemoryError } from '../errors.ts';
import { blockProgramLogits } from '../export/block-logits.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { seededRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { DeviceTensor, Runtime } from '../runtime/runtime.ts';
import { decoderForModel } from './model-decoder.ts';
import { RecoveringSequence } from './recovering-sequence.ts';
import { reopenElsewhere } from './reopen.ts';
import { createSampler, type SamplingOptions } from './sampling.ts';

const model = modelOf(randomLlama({ seed: 3 }));
const PROMPT = [10, 20, 30, 40, 50];
const open: Runtime[] = [];
let whole: Runtime;

/** A runtime whose sessions and allocations can be made to fail. */
async function faulty(faults: {
  readonly run?: (count: number) => void;
  readonly allocate?: () => void;
}): Promise<Runtime> {
  const runtime = await createNodeRuntime({ threads: 1 });
  open.push(runtime);
  const [createSession, allocate] = [runtime.createSession.bind(runtime), runtime.allocate.bind(runtime)];
  let runs = 0;
  runtime.allocate = (...call) => {
    faults.allocate?.();
    return allocate(...call);
  };
  runtime.createSession = async (...call) => {
    const session = await createSession(...call);
    const run = session.run.bind(session);
    session.run = async (...feeds) => {
      faults.run?.(runs++);
      return run(...feeds);
    };
    return session;
  };
  return runtime;
}

beforeAll(async () => {
  whole = await createNodeRuntime({ threads: 1 });
});
afterAll(() => {
  for (const runtime of open) runtime.dispose();
  expect(whole.statistics()).toMatchObject({ liveTensors: 0 });
  whole.dispose();
});

async function tokens(
  runtime: Runtime,
  options: SamplingOptions,
  reopen?: ReturnType<typeof reopenElsewhere>,
  sentences: string[] = [],
): Promise<number[]> {
  using decoder = await decoderForModel(runtime, model);
  using sequence = new RecoveringSequence(decoder, {
    capacity: 30,
    reopen,
    onRecovered: (sentence) => sentences.push(sentence),
  });
  const sampler = createSampler(options, seededRandom(5));
  const history = [...PROMPT];
  let next: readonly number[] = PROMPT;
  while (history.length < 17) {
    const { tokenId } = await sequence.choose(next, sampler, history);
    history.push(tokenId);
    next = [tokenId];
  }
  return history.slice(PROMPT.length);
}

const lose = (at: number) => (count: number) => {
  if (count >= at) throw new DeviceLostError('The graphics device was lost.');
};

describe('a device that fails while it decodes', () => {
  for (const [name, options] of Object.entries({ greedy: {}, sampled: { temperature: 1.2, topP: 0.9 } })) {
    test(`is replaced by a new one, and the ${name} tokens are those of a device that never failed`, async () => {
      const asked: string[] = [];
      const sentences: string[] = [];
      const reopen = reopenElsewhere(model, async (backend) => {
        asked.push(backend);
        return faulty({});
      });
      const found = await tokens(await faulty({ run: lose(4) }), options, reopen, sentences);
      expect(found).toEqual(await tokens(whole, options));
      expect(asked).toEqual(['webgpu']);
      expect(sentences).toEqual([
        expect.stringMatching(
          /^The graphics device was lost\. The model was opened again: decoder of .*; the text goes on from its 9 tokens\.$/,
        ),
      ]);
    });
  }

  test('is replaced by WebAssembly where no device comes back, and at once where memory ended', async () => {
    const asked: string[] = [];
    const reopen = reopenElsewhere(model, async (backend) => {
      asked.push(backend);
      if (backend === 'webgpu') throw new DeviceLostError('No adapter.');
      return faulty({});
    });
    const expected = await tokens(whole, {});
    expect(await tokens(await faulty({ run: lose(2) }), {}, reopen)).toEqual(expected);
    expect(asked).toEqual(['webgpu', 'wasm']);
    const full = await faulty({
      allocate: () => {
        throw new OutOfMemoryError('No memory was left for the cache.');
      },
    });
    expect(await tokens(full, {}, reopen)).toEqual(expected);
    expect(asked).toEqual(['webgpu', 'wasm', 'wasm']);
  });

  test('ends the text with its own sentence where nothing can be opened, or it fails again and again', async () => {
    await expect(tokens(await faulty({ run: lose(2) }), {})).rejects.toThrow('The graphics device was lost.');
    let opened = 0;
    const failing = reopenElsewhere(model, () => {
      opened += 1;
      return faulty({ run: lose(0) });
    });
    await expect(tokens(await faulty({ run: lose(2) }), {}, failing)).rejects.toBeInstanceOf(DeviceLostError);
    expect(opened).toBe(2);
    const none = reopenElsewhere(model, async () => {
      throw new OutOfMemoryError('Nothing is left.');
    });
    await expect(tokens(await faulty({ run: lose(2) }), {}, none)).rejects.toThrow('Nothing is left.');
  });
});

describe('half precision', () => {
  const precise = async (runtime: Runtime, work: (logits: ReturnType<typeof blockProgramLogits>) => Promise<void>) => {
    using programs = new Programs(runtime, model.architecture);
    using store = new WeightStore(runtime, model);
    await work(blockProgramLogits(programs, store));
  };

  test('is used where it is right, and refused in one sentence where its logits are wrong', async () => {
    await precise(whole, async (logits) => {
      const refusals: string[] = [];
      const options = {
        dataType: 'f16' as const,
        check: { precise: logits, onRefused: (sentence: string) => refusals.push(sentence) },
      };
      const cacheOf = async (runtime: Runtime) => {
        using decoder = await decoderForModel(runtime, model, options);
        return decoder.cacheType;
      };
      expect(await cacheOf(await faulty({}))).toBe('float16');
      expect(refusals).toEqual([]);
      for (const wrong of [(value: number) => value * 1.5, () => Number.NaN]) {
        const runtime = await faulty({});
        const distort = (tensor: DeviceTensor) => {
          const data = Float32Array.from({ length: tensor.byteLength / 4 }, (_, index) => wrong(index % 7));
          return runtime.upload({ dataType: 'float32', shape: tensor.shape, data });
        };
        expect(await cacheOf(await withWrongHalf(runtime, distort))).toBe('float32');
      }
      expect(refusals).toHaveLength(2);
      expect(refusals[0]).toMatch(
        /half precision is wrong on this device: its logits differ from those computed elsewhere by up to .* is allowed\. Single precision is used instead\.$/,
      );
    });
  });
});

/** `runtime` itself, its half precision logits distorted. */
async function withWrongHalf(runtime: Runtime, distort: (tensor: DeviceTensor) => DeviceTensor): Promise<Runtime> {
  const createSession = runtime.createSession.bind(runtime);
  runtime.createSession = async (...call) => {
    const session = await createSession(...call);
    const run = session.run.bind(session);
    if (session.inputs.some(({ dataType }) => dataType === 'float16'))
      session.run = async (...feeds) => {
        const outputs = await run(...feeds);
        const { logits } = outputs;
        if (!logits) return outputs;
        const distorted = distort(logits);
        logits.dispose();
        return { ...outputs, logits: distorted };
      };
    return session;
  };
  return runtime;
}
