import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as onnxRuntime from 'onnxruntime-node';
import { openNamed } from '../src/checkpoint/local.ts';
import { readTextIds } from '../src/cli/text-files.ts';
import { EXPORT_FORMATS, type ExportDataType } from '../src/decoder/dtypes.ts';
import { tokenWindows } from '../src/evaluate/token-windows.ts';
import { openOnDisk } from '../src/export/disk.ts';
import { openDecoder } from '../src/generate/decoder.ts';
import { greatest } from '../src/generate/sampling.ts';
import { importance } from '../src/importance/importance.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { hostMemory } from '../src/runtime/host-memory.ts';
import { Ledger } from '../src/runtime/ledger.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import { createNodeWebGpuRuntime } from '../src/runtime/node-webgpu.ts';
import { OnnxRuntime } from '../src/runtime/onnx-runtime.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { benchPrompt, exportBenchModels } from './decode-models.ts';
import { interleave, median, ratio, spread } from './measure.ts';

const [PROMPT, NEW_TOKENS, LENGTH] = [24, 24, 64];
const [NATIVE, DAWN] = ["onnxruntime-node's own provider", 'onnxruntime-web on Dawn'];

/**
 * The two ways to WebGPU in Node: the provider in onnxruntime-node, and ONNX Runtime's WebGPU build on a device of Dawn, which the product uses. Decoding of an export, in turn: the first with caches that stay on
 * the device and grow, the second as the product does; with the greedy tokens of the CPU beside them. Scoring of the same windows, in turn: the first with tensors in host memory and element scores on the
 * processor, since its device tensors can be neither read nor shared with kernels of our own.
 * Options: a model (default stories), a number format (f32), rounds (5), windows to score (4), a text (default the model's).
 */
export async function run([
  name = 'stories',
  format = 'f32',
  rounds = '5',
  count = '4',
  text = 'public/models/stories/calibration.txt',
]: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  using processor = await createNodeRuntime();
  using card = await createNodeWebGpuRuntime();
  using native = nativeRuntime(processor);
  try {
    using open = new OpenModel(processor, await openNamed(name));
    const dataType = format as ExportDataType;
    await exportBenchModels(open, folder, dataType, []);
    const path = join(folder, 'dense', 'onnx', EXPORT_FORMATS[dataType].file);
    const prompt = benchPrompt(PROMPT, open.config.vocabulary);
    console.log(
      `${name} in ${format} on ${card.description}, ${PROMPT} + ${NEW_TOKENS} tokens, ${rounds} rounds in turn`,
    );
    await decoding(path, prompt, processor, card, Number(rounds));

    const { ids } = await readTextIds([text], await open.tokenizer());
    const windows = tokenWindows(ids, { length: LENGTH, count: Number(count), seed: 0 });
    console.log(`Scoring ${count} windows of ${LENGTH} tokens, ${rounds} rounds in turn`);
    await scoring(name, windows, native, card, Number(rounds));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Lap = () => Promise<{ readonly tokens: readonly number[]; readonly milliseconds: number }>;

async function decoding(
  path: string,
  prompt: readonly number[],
  processor: Runtime,
  card: Runtime,
  rounds: number,
): Promise<void> {
  const expected = `${(await (await ownLap(processor, path, prompt))()).tokens}`;
  const laps: Record<string, Lap> = {
    [NATIVE]: await nativeLap(path, prompt),
    [DAWN]: await ownLap(card, path, prompt),
  };
  const times: Record<string, number[]> = { [NATIVE]: [], [DAWN]: [] };
  const same: Record<string, boolean> = {};
  for (let round = -1; round < rounds; round++) {
    const order = Object.entries(laps);
    for (const [way, lap] of round % 2 === 0 ? order : order.reverse()) {
      const { tokens, milliseconds } = await lap();
      if (round >= 0) times[way]?.push(milliseconds);
      same[way] = (same[way] ?? true) && `${tokens}` === expected;
    }
  }
  for (const [way, list] of Object.entries(times))
    console.log(
      `${way.padEnd(34)} ${spread(list)} a token, ${same[way] ? "the CPU's tokens" : 'OTHER TOKENS than the CPU'}`,
    );
  console.log(`${NATIVE} over ${DAWN}: ${ratio(times[NATIVE] ?? [], times[DAWN] ?? [])}`);
}

async function ownLap(runtime: Runtime, path: string, prompt: readonly number[]): Promise<Lap> {
  const { model, externalData } = await openOnDisk(path, runtime.backend);
  const decoder = await openDecoder(runtime, model, { externalData, fixedCache: true });
  return async () => {
    using sequence = decoder.start(prompt.length + NEW_TOKENS);
    return timed(async (ids) => greatest(await sequence.append(ids)), prompt);
  };
}

/** onnxruntime-node with its WebGPU provider: logits come to the host, caches stay where they are and are fed again. */
async function nativeLap(path: string, prompt: readonly number[]): Promise<Lap> {
  const probe = await onnxRuntime.InferenceSession.create(path, { executionProviders: ['cpu'] });
  const presents = probe.outputNames.filter((name) => name.startsWith('present'));
  await probe.release();
  const session = await onnxRuntime.InferenceSession.create(path, {
    executionProviders: ['webgpu'],
    preferredOutputLocation: Object.fromEntries([
      ...presents.map((name) => [name, 'gpu-buffer'] as const),
      ['logits', 'cpu'] as const,
    ]),
    logSeverityLevel: 4,
  });
  const { Tensor } = onnxRuntime;
  const int64 = (values: readonly number[], dims: readonly number[]) =>
    new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
  return async () => {
    let past: Record<string, onnxRuntime.Tensor> = Object.fromEntries(
      session.inputMetadata.flatMap((input) => {
        if (!input.isTensor || !input.name.startsWith('past')) return [];
        const dims = input.shape.map((size) => (typeof size === 'number' ? size : size.includes('batch') ? 1 : 0));
        const empty =
          input.type === 'float16' ? new Tensor('float16', new Uint16Array(0), dims) : new Tensor('float32', [], dims);
        return [[input.name, empty] as const];
      }),
    );
    const free = () => {
      for (const tensor of Object.values(past)) if (tensor.location === 'gpu-buffer') tensor.dispose();
    };
    let length = 0;
    const result = await timed(async (ids) => {
      length += ids.length;
      const outputs = await session.run({
        ...past,
        input_ids: int64(ids, [1, ids.length]),
        attention_mask: int64(Array<number>(length).fill(1), [1, length]),
        num_logits_to_keep: int64([1], []),
      });
      free();
      past = Object.fromEntries(
        presents.flatMap((name) => {
          const tensor = outputs[name];
          return tensor ? [[name.replace('present', 'past_key_values'), tensor] as const] : [];
        }),
      );
      return greatest(outputs.logits?.data as Float32Array);
    }, prompt);
    free();
    return result;
  };
}

/** Greedy tokens, and the median of the milliseconds of those after the first. */
async function timed(next: (ids: readonly number[]) => Promise<number>, prompt: readonly number[]): ReturnType<Lap> {
  const tokens = [await next(prompt)];
  const times: number[] = [];
  while (tokens.length < NEW_TOKENS) {
    const started = performance.now();
    tokens.push(await next(tokens.slice(-1)));
    times.push(performance.now() - started);
  }
  return { tokens, milliseconds: median(times) };
}

async function scoring(
  name: string,
  windows: readonly Int32Array[],
  native: Runtime,
  card: Runtime,
  rounds: number,
): Promise<void> {
  const checkpoint = await openNamed(name);
  const losses: number[] = [];
  const scored = (runtime: Runtime) => {
    const open = new OpenModel(runtime, checkpoint, { residentBytes: 2 ** 30 });
    return async () => {
      const { loss } = await importance(open.programs, open.store, windows, { structuresOf: open.structuresOf });
      losses.push(loss);
    };
  };
  const times = await interleave({ [NATIVE]: scored(native), [DAWN]: scored(card) }, rounds);
  for (const [way, list] of Object.entries(times)) console.log(`${way.padEnd(34)} ${spread(list)}`);
  console.log(`${NATIVE} over ${DAWN}: ${ratio(times[NATIVE] ?? [], times[DAWN] ?? [])}`);
  console.log(`losses ${Math.min(...losses).toFixed(6)} to ${Math.max(...losses).toFixed(6)}`);
}

/** A runtime that computes with onnxruntime-node's WebGPU provider and keeps all tensors on the host. */
function nativeRuntime({ helpers }: Runtime): Runtime {
  const ledger = new Ledger();
  return new OnnxRuntime({
    backend: 'cpu',
    description: NATIVE,
    memory: hostMemory(ledger, onnxRuntime.Tensor, true),
    ledger,
    helpers,
    behaviour: { survivesFailure: true },
    create: (model, { optimization }) => {
      const options = {
        executionProviders: ['webgpu'],
        graphOptimizationLevel: optimization ?? 'all',
        logSeverityLevel: 4,
      } as const;
      return 'path' in model
        ? onnxRuntime.InferenceSession.create(model.path, options)
        : onnxRuntime.InferenceSession.create(model, options);
    },
  });
}
