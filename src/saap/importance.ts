import { forwardBlocks, headRows, isRemoved, nextTokenTargets, rowChunks } from '../architecture/forward.ts';
import { only, type Programs } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { MismatchError, throwIfCancelled } from '../errors.ts';
import { checkWindows } from '../evaluate/perplexity.ts';
import type { LongRunning } from '../progress.ts';
import type { DeviceTensor } from '../runtime/runtime.ts';
import { type ElementEngine, ElementStages } from './element-stage.ts';
import type { LayerScores } from './layer-sums.ts';
import { RunBuffers } from './run-buffers.ts';
import { cosineGraph } from './score-graph.ts';
import { scoreLayer } from './score-layer.ts';
import type { LayerPartial } from './shards.ts';
import type { CoupledStructure } from './structures.ts';

export interface ImportanceOptions extends LongRunning {
  /** Groups of each layer, from discovery. */
  readonly structuresOf: (layer: number) => readonly CoupledStructure[];
  /** False skips the element metrics and stability: no weight gradient is computed at all. Default true. */
  readonly elements?: boolean;
  /** Default: the hand-written kernels. */
  readonly elementEngine?: ElementEngine;
  /** For one shard of many: takes the sums of these kinds (`sumsFor`), layer by layer from the last to the first. */
  readonly partial?: { readonly kinds: ReadonlySet<string>; readonly take: (layer: number, partial: LayerPartial) => void | Promise<void> };
}

export interface ImportanceResult {
  readonly layers: readonly LayerScores[];
  /** Mean cross-entropy over all predictions of the calibration windows, in nats. */
  readonly loss: number;
  /** Predictions. */
  readonly tokens: number;
  /** Seconds of the forward pass with losses, and of everything. */
  readonly forwardSeconds: number;
  readonly seconds: number;
  /** Memory of hand-written kernels on the host, which is none of the runtime's tensors, at its peak. */
  readonly kernelBytes: number;
}

/** Tokens per run. WebAssembly copies what a run reads into its own memory, so it takes one window at a time. */
const BATCH_TOKENS = 1024;

/**
 * Importance of every group of a model (docs/method.md section 2), layer-streamed (docs/architecture.md section 1.4): a forward pass keeps the input of
 * every block for all windows; then, from the last layer to the first, each block is recomputed and differentiated batch by batch while
 * its weights, and its accumulators, are the only ones on the device.
 */
export async function importance(
  programs: Programs,
  store: WeightStore,
  windows: readonly ArrayLike<number>[],
  options: ImportanceOptions,
): Promise<ImportanceResult> {
  const { config } = store.model.architecture;
  const started = performance.now();
  const tokens = checkWindows(windows, config.vocabulary);
  const perBatch = programs.runtime.backend === 'wasm' ? 1 : Math.max(1, Math.floor(BATCH_TOKENS / tokens));
  const batches = Array.from({ length: Math.ceil(windows.length / perBatch) }, (_, index) => windows.slice(index * perBatch, (index + 1) * perBatch));
  const inputs: (readonly DeviceTensor[])[] = [];
  const owned = new Set<DeviceTensor>();
  let live: readonly DeviceTensor[] = [];
  const own = (tensors: readonly DeviceTensor[]) => {
    for (const tensor of tensors) owned.add(tensor);
    return tensors;
  };
  const free = (tensors: readonly DeviceTensor[]) => {
    for (const tensor of tensors) {
      tensor.dispose();
      owned.delete(tensor);
    }
  };
  const units = config.layers * windows.length;
  using stages = (options.elements ?? true) ? new ElementStages(programs, options.elementEngine) : undefined;
  using buffers = new RunBuffers(programs.runtime);
  const report = (completed: number) => options.onProgress?.({ stage: 'scoring', completed, total: 3 * units, unit: 'windows' });
  try {
    const last = own(
      await forwardBlocks(programs, store, batches, {
        signal: options.signal,
        onProgress: ({ completed, total }) => report(Math.floor((units * completed) / total)),
        onLayer: (layer, states) => {
          inputs[layer] = own(states);
          return true;
        },
      }),
    );
    const { losses, gradients } = await headGradients(programs, store, batches, last, options);
    live = gradients;
    const forwardSeconds = (performance.now() - started) / 1000;

    const layers: LayerScores[] = [];
    let after = last;
    for (let layer = config.layers - 1; layer >= 0; layer--) {
      throwIfCancelled(options.signal);
      const before = inputs[layer];
      if (!before || isRemoved(store, layer)) {
        layers.unshift({ attention: {}, mlp: {} });
        await options.partial?.take(layer, { windows: windows.length, rows: windows.length * tokens, sums: new Map(), constants: new Map() });
        continue;
      }
      const depth = 1 - (await meanCosine(programs, before, after));
      let done = (config.layers - 1 - layer) * windows.length;
      const scored = await scoreLayer(programs, store, layer, before, gradients, {
        signal: options.signal,
        stages,
        buffers,
        structures: options.structuresOf(layer),
        partial: options.partial?.kinds,
        onWindows: (count) => {
          done += count;
          report(units + 2 * done);
        },
      });
      layers.unshift(withDepth(scored.scores, depth));
      free(after);
      after = before;
      if (options.partial && scored.partial) await options.partial.take(layer, withCosine(scored.partial, options.partial.kinds, 1 - depth));
    }
    report(3 * units);
    const loss = losses.reduce((sum, value) => sum + value, 0) / windows.length;
    const seconds = (performance.now() - started) / 1000;
    return { layers, loss, tokens: windows.length * (tokens - 1), forwardSeconds, seconds, kernelBytes: stages?.kernelBytes ?? 0 };
  } finally {
    for (const gradient of live) gradient.dispose();
    for (const tensor of owned) tensor.dispose();
  }
}

function withDepth(scores: LayerScores, depth: number): LayerScores {
  const spread = (module: LayerScores['attention']) => {
    const groups = Object.values(module)[0]?.length ?? 0;
    return { ...module, depth: new Float32Array(groups).fill(depth) };
  };
  return { attention: spread(scores.attention), mlp: spread(scores.mlp) };
}

function withCosine(partial: LayerPartial, kinds: ReadonlySet<string>, meanCosine: number): LayerPartial {
  if (!kinds.has('cosine')) return partial;
  return { ...partial, sums: new Map([...partial.sums, ['cosine', Float64Array.of(meanCosine * partial.windows)]]) };
}

/** Mean loss of each window, and the gradient of it with respect to the states after the last block, batch by batch. */
async function headGradients(
  programs: Programs,
  store: WeightStore,
  batches: readonly (readonly ArrayLike<number>[])[],
  states: readonly DeviceTensor[],
  options: LongRunning,
): Promise<{ readonly losses: number[]; readonly gradients: DeviceTensor[] }> {
  const gradients: DeviceTensor[] = [];
  const losses: number[] = [];
  try {
    using weights = await store.lease('head');
    for (const [index, batch] of batches.entries()) {
      throwIfCancelled(options.signal);
      const state = states[index];
      if (!state) throw new MismatchError(`The forward pass returned ${states.length} batches of ${batches.length}.`);
      const hidden = await programs.runtime.read(state);
      const tokens = batch[0]?.length ?? 0;
      const { targets, weights: rowWeights } = nextTokenTargets(batch);
      const gradient = new Float32Array(hidden.data.length);
      const batchLosses = new Float64Array(batch.length);
      for (const { start, chunk } of rowChunks(hidden, headRows(store.model.architecture.config.vocabulary))) {
        const [rows = 0, hiddenSize = 0] = chunk.shape;
        const part = await programs.lossGradient(weights, chunk, targets.subarray(start, start + rows), rowWeights.subarray(start, start + rows));
        gradient.set(part.gradient, start * hiddenSize);
        part.losses.forEach((value, row) => {
          const window = Math.floor((start + row) / tokens);
          batchLosses[window] = (batchLosses[window] ?? 0) + value * (rowWeights[start + row] ?? 0);
        });
      }
      losses.push(...batchLosses);
      gradients.push(programs.runtime.upload({ dataType: 'float32', shape: hidden.shape, data: gradient }));
    }
    return { losses, gradients };
  } catch (error) {
    for (const gradient of gradients) gradient.dispose();
    throw error;
  }
}

async function meanCosine(programs: Programs, before: readonly DeviceTensor[], after: readonly DeviceTensor[]): Promise<number> {
  const session = await programs.session('block cosine', () => cosineGraph(programs.architecture.config.hiddenSize));
  let sum = 0;
  let total = 0;
  for (const [index, input] of before.entries()) {
    const output = after[index];
    if (!output) continue;
    using cosine = only(await session.run({ before: input, after: output }), 'cosine');
    const windows = input.shape[0] ?? 1;
    sum += windows * Number((await programs.runtime.read(cosine)).data[0]);
    total += windows;
  }
  return sum / total;
}
