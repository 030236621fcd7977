import { isRemoved } from '../architecture/forward.ts';
import { only, type Programs } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { throwIfCancelled } from '../errors.ts';
import { checkWindows } from '../evaluate/perplexity.ts';
import type { LongRunning } from '../progress.ts';
import type { Backend, DeviceTensor, HostTensor } from '../runtime/runtime.ts';
import { type BackendNote, type CrossCheck, crossCheck } from './cross-check.ts';
import { type ElementEngine, ElementStages } from './elements/element-stage.ts';
import { RunBuffers } from './elements/run-buffers.ts';
import { keepFrom } from './program/activation-budget.ts';
import { OwnedTensors } from './program/owned-tensors.ts';
import { scoreForward } from './program/score-forward.ts';
import { cosineGraph } from './program/score-graph.ts';
import { headGradients } from './program/score-head.ts';
import { scoreLayer } from './program/score-layer.ts';
import { ScorePrograms } from './program/score-programs.ts';
import { Stopwatch } from './stopwatch.ts';
import type { CoupledStructure } from './structures/structures.ts';
import type { LayerScores } from './sums/layer-sums.ts';
import { gradientsFrom, gradientsOf, type ScoreState } from './sums/score-state.ts';
import type { LayerPartial } from './sums/shards.ts';

export interface ImportanceOptions extends LongRunning {
  /** Groups of each layer, from discovery. */
  readonly structuresOf: (layer: number) => readonly CoupledStructure[];
  /** False skips the element metrics and stability: no weight gradient is computed at all. Default true. */
  readonly elements?: boolean;
  /** Default: the hand-written kernels. */
  readonly elementEngine?: ElementEngine;
  /**
   * Bytes that activations of the forward pass may take until the backward pass reads them: as many of the last layers as fit keep the outputs of their linear layers, the
   * others recompute them. Default 512 MiB on the CPU and 256 MiB elsewhere; 0 recomputes all.
   */
  readonly activationBytes?: number;
  /** Compares the last layer that is scored with another backend: `notes` tell where they differ. */
  readonly crossCheck?: CrossCheck | undefined;
  /** For one shard of many: takes the sums of these kinds (`sumsFor`), layer by layer from the last to the first. */
  readonly partial?: {
    readonly kinds: ReadonlySet<string>;
    readonly take: (layer: number, partial: LayerPartial) => void | Promise<void>;
  };
  /** Goes on from a state that `onLayer` or `onBatch` gave in a run with the same model, windows, options and backend: the result is that of one run, bit for bit. The sums of a layer that is begun are taken over. */
  readonly resume?: ScoreState | undefined;
  /** Told after each layer what a later run needs to go on from there. */
  readonly onLayer?: ((state: () => Promise<ScoreState>) => Promise<void>) | undefined;
  /** The same after each batch of windows of a layer. Such a state holds two numbers for every weight of the layer, so it is asked for from time to time only. */
  readonly onBatch?: ((state: () => Promise<ScoreState>) => Promise<void>) | undefined;
}

export interface ImportanceResult {
  readonly layers: readonly LayerScores[];
  /** Mean cross-entropy over all predictions of the calibration windows, in nats. */
  readonly loss: number;
  /** Predictions. */
  readonly tokens: number;
  /** Seconds of the forward pass with losses, and of everything, in this run. */
  readonly forwardSeconds: number;
  readonly seconds: number;
  /** Memory of hand-written kernels on the host, which is none of the runtime's tensors, at its peak. */
  readonly kernelBytes: number;
  readonly notes: readonly BackendNote[];
  /** Seconds of the forward pass, the head's gradient, weights, the backward passes, element metrics, the metrics from their sums, and depth. */
  readonly stages: Readonly<Record<string, number>>;
}

/** Tokens per run. WebAssembly copies what a run reads into its own memory, so it takes one window at a time. */
const BATCH_TOKENS = 1024;

const ACTIVATION_BYTES: Readonly<Record<Backend, number>> = { cpu: 512 << 20, wasm: 256 << 20, webgpu: 256 << 20 };

/**
 * Importance of every group of a model (docs/method.md section 2), layer-streamed (docs/architecture.md section 1.4): a forward pass keeps the input of
 * every block for all windows, and of the last blocks also the outputs of their linear layers; then, from the last layer to the first, each block is recomputed as far as
 * nothing was kept, and differentiated batch by batch while its weights, and its accumulators, are the only ones on the device.
 */
export async function importance(
  programs: Programs,
  store: WeightStore,
  windows: readonly ArrayLike<number>[],
  options: ImportanceOptions,
): Promise<ImportanceResult> {
  const { config } = store.model.architecture;
  const { signal, resume } = options;
  const started = performance.now();
  const tokens = checkWindows(windows, config.vocabulary);
  const perBatch = programs.runtime.backend === 'wasm' ? 1 : Math.max(1, Math.floor(BATCH_TOKENS / tokens));
  const batches = Array.from({ length: Math.ceil(windows.length / perBatch) }, (_, index) =>
    windows.slice(index * perBatch, (index + 1) * perBatch),
  );
  const layerCount = resume?.layer ?? config.layers;
  const structures =
    config.layerWidths.map((_, layer) => options.structuresOf(layer)).find(({ length }) => length > 0) ?? [];
  const score = new ScorePrograms(programs, structures, options.elements ?? true);
  const budget = options.activationBytes ?? ACTIVATION_BYTES[programs.runtime.backend];
  using stages = score.elements ? new ElementStages(programs, options.elementEngine) : undefined;
  using buffers = new RunBuffers(programs.runtime);
  using owned = new OwnedTensors();
  const watch = new Stopwatch();
  let gradients: DeviceTensor[] = [];
  const unit = { forward: 1, backward: 2 };
  let units = (config.layers - layerCount) * (unit.forward + unit.backward) * windows.length;
  const report = (count: number) => {
    units += count;
    options.onProgress?.({
      stage: 'scoring',
      completed: units,
      total: 3 * config.layers * windows.length,
      unit: 'windows',
    });
  };
  try {
    report(0);
    const forward = await watch.time('forward', () =>
      scoreForward(programs, store, batches, owned, score, {
        signal,
        layers: layerCount,
        keepFrom: keepFrom(store, score, windows.length * tokens, budget),
        onWindows: (count) => report(count * unit.forward),
      }),
    );
    const head =
      resume ??
      (await watch.time('head gradient', () => headGradients(programs, store, batches, forward.last, options)));
    gradients = 'batches' in head ? head.batches : gradientsFrom(programs.runtime, head, batches, config.hiddenSize);
    const { losses } = head;
    const forwardSeconds = (performance.now() - started) / 1000;

    const layers: LayerScores[] = [...(resume?.layers ?? [])];
    const stateAt = async (layer: number): Promise<ScoreState> => ({
      layer,
      layers: [...layers],
      losses,
      gradients: await gradientsOf(programs.runtime, gradients),
    });
    let after = forward.last;
    const notes: BackendNote[] = [];
    let checks = options.crossCheck;
    for (let layer = layerCount - 1; layer >= 0; layer--) {
      throwIfCancelled(signal);
      const before = forward.layers[layer];
      if (!before || isRemoved(store, layer)) {
        layers.unshift({ attention: {}, mlp: {} });
        await options.partial?.take(layer, {
          windows: windows.length,
          rows: windows.length * tokens,
          sums: new Map(),
          constants: new Map(),
        });
        report(unit.backward * windows.length);
        continue;
      }
      const depth = 1 - (await watch.time('depth', () => meanCosine(programs, before.hidden, after)));
      if (checks) {
        // Of the last batch: in a run that goes on, the gradients of others may have passed this layer.
        const [state, gradient] = [
          await firstWindow(programs, before.hidden.at(-1)),
          await firstWindow(programs, gradients.at(-1)),
        ];
        const note =
          state &&
          gradient &&
          (await crossCheck(
            programs,
            store,
            { layer, structures: options.structuresOf(layer), elements: score.elements, state, gradient },
            checks,
          ));
        if (note) notes.push(note);
        checks = undefined;
      }
      const scored = await scoreLayer(programs, store, layer, before, gradients, {
        signal,
        watch,
        score,
        stages,
        buffers,
        structures: options.structuresOf(layer),
        partial: options.partial?.kinds,
        resume: layer === layerCount - 1 ? resume?.begun : undefined,
        onBatch:
          options.onBatch &&
          ((begun) =>
            options.onBatch?.(async () => ({ ...(await stateAt(layer + 1)), begun: await begun() })) ??
            Promise.resolve()),
        onWindows: (count) => report(count * unit.backward),
      });
      layers.unshift(withDepth(scored.scores, depth));
      owned.free(after);
      for (const values of before.kept ?? []) owned.free(Object.values(values));
      after = before.hidden;
      if (options.partial && scored.partial)
        await options.partial.take(layer, withCosine(scored.partial, options.partial.kinds, 1 - depth));
      if (layer > 0) await options.onLayer?.(() => stateAt(layer));
    }
    const loss = losses.reduce((sum, value) => sum + value, 0) / windows.length;
    const seconds = (performance.now() - started) / 1000;
    return {
      layers,
      loss,
      tokens: windows.length * (tokens - 1),
      forwardSeconds,
      seconds,
      kernelBytes: stages?.kernelBytes ?? 0,
      notes,
      stages: watch.seconds(),
    };
  } finally {
    for (const gradient of gradients) gradient.dispose();
  }
}

/** The first window of a batch [windows, tokens, hiddenSize], on the host. */
async function firstWindow(programs: Programs, batch: DeviceTensor | undefined): Promise<HostTensor | undefined> {
  if (!batch) return undefined;
  const { data, shape } = await programs.runtime.read(batch);
  const values = data as Float32Array;
  return { dataType: 'float32', shape: [1, ...shape.slice(1)], data: values.slice(0, values.length / (shape[0] ?? 1)) };
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

async function meanCosine(
  programs: Programs,
  before: readonly DeviceTensor[],
  after: readonly DeviceTensor[],
): Promise<number> {
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
