import type { LayerKind } from '../architecture/architecture.ts';
import { batchesOf, windowsPerRun } from '../architecture/batches.ts';
import { isRemoved } from '../architecture/forward.ts';
import type { Precision } from '../architecture/precision.ts';
import { type Programs, singleOutput } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { findNotFinite } from '../checkpoint/finite.ts';
import { DeviceError, HalfPrecisionError, throwIfCancelled } from '../errors.ts';
import { checkWindows } from '../evaluate/token-windows.ts';
import type { LongRunning } from '../progress.ts';
import type { Backend, DeviceTensor, HostTensor } from '../runtime/runtime.ts';
import { type BackendNote, type CrossCheck, crossCheck } from './cross-check.ts';
import { type ElementEngine, ElementStages } from './elements/element-stages.ts';
import { RunBuffers } from './elements/run-buffers.ts';
import { keepFrom } from './program/activation-budget.ts';
import { layerLayout } from './program/layer-layout.ts';
import { drawsOf, type Objective } from './program/objective.ts';
import { OwnedTensors } from './program/owned-tensors.ts';
import { scoreForward } from './program/score-forward.ts';
import { cosineGraph } from './program/score-graph.ts';
import { headGradients } from './program/score-head.ts';
import { scoreLayer } from './program/score-layer.ts';
import { ScorePrograms } from './program/score-programs.ts';
import { Stopwatch } from './stopwatch.ts';
import { type CoupledStructure, MODULES } from './structures/structures.ts';
import { LayerSums } from './sums/layer-sums.ts';
import { keptSums, METRICS, type Metric, needsOf } from './sums/metrics.ts';
import { gradientsFrom, gradientsOf, type ScoreState } from './sums/score-state.ts';
import type { LayerScores } from './sums/scores.ts';

export interface ImportanceOptions extends LongRunning {
  /** Groups of each layer, from discovery. */
  readonly structuresOf: (layer: number) => readonly CoupledStructure[];
  /** Default all. Without element metrics and stability no weight gradient is computed at all. */
  readonly metrics?: readonly Metric[];
  /** What importance is the gradient of. Default: cross-entropy with the text. */
  readonly objective?: Objective;
  /** Default: the hand-written kernels. */
  readonly elementEngine?: ElementEngine;
  /**
   * Bytes that activations of the forward pass may take until the backward pass reads them: as many of the last layers as fit keep the outputs of their linear layers, the
   * others recompute them. Default 256 MiB on WebAssembly and WebGPU; 0, which recomputes all, on the CPU, where writing them costs what it saves (docs/results.md).
   */
  readonly activationBytes?: number;
  /** Compares the last layer that is scored with another backend: `notes` tell where they differ. */
  readonly crossCheck?: CrossCheck | undefined;
  /** The windows are a part of a run's: what adds up over windows is kept then. Default 'all'. */
  readonly windowsAre?: 'all' | 'part';
  /** Takes the sums of each layer, from the last to the first, in place of scores: the result has none then. */
  readonly onSums?: ((layer: number, sums: LayerSums) => void | Promise<void>) | undefined;
  /** Told the scores of each layer once they are final, from the last layer to the first; those of a resumed state first. */
  readonly onScores?: ((layer: number, scores: LayerScores) => void) | undefined;
  /** Goes on from a state that `onLayer` or `onBatch` gave in a run with the same model, windows, options and backend: the result is that of one run, bit for bit. Its sums are taken over. */
  readonly resume?: ScoreState | undefined;
  /** Told after each layer what a later run needs to go on from there. */
  readonly onLayer?: ((state: () => Promise<ScoreState>) => Promise<void>) | undefined;
  /** The same after each batch of windows of a layer. With element metrics such a state holds two numbers for every weight of the layer, so it is asked for from time to time only. */
  readonly onBatch?: ((state: () => Promise<ScoreState>) => Promise<void>) | undefined;
}

export interface ImportanceResult {
  /** The metrics that are asked for. */
  readonly layers: readonly LayerScores[];
  /** Mean cross-entropy of each window, and over all predictions, in nats; for a teacher KL from it. */
  readonly losses: readonly number[];
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

const ACTIVATION_BYTES: Readonly<Record<Backend, number>> = { cpu: 0, wasm: 256 << 20, webgpu: 256 << 20 };

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
  const { signal, resume, metrics = METRICS, objective = { kind: 'text' } } = options;
  const draws = drawsOf(objective);
  const needs = needsOf(metrics);
  const keep = keptSums(metrics, options.windowsAre ?? 'all');
  const layoutOf = (layer: number) => layerLayout(store.model.architecture, layer, options.structuresOf(layer));
  const started = performance.now();
  const tokens = checkWindows(windows, config.vocabulary);
  // WebAssembly copies what a run reads into its own memory, so it takes one window at a time.
  const perBatch = programs.runtime.backend === 'wasm' ? 1 : windowsPerRun(tokens);
  const batches = batchesOf(windows, perBatch);
  const layerCount = resume?.layer ?? config.layers;
  const score = scoreProgramsOf(programs, options.structuresOf, needs);
  const budget = options.activationBytes ?? ACTIVATION_BYTES[programs.runtime.backend];
  using stages = needs.has('elements') ? new ElementStages(programs, options.elementEngine) : undefined;
  using buffers = new RunBuffers(programs.runtime);
  using owned = new OwnedTensors();
  const watch = new Stopwatch();
  let gradients: DeviceTensor[] = [];
  const unit = { forward: 1, backward: 2 * draws };
  let units = (config.layers - layerCount) * (unit.forward + unit.backward) * windows.length;
  /** What the backward pass takes batch after batch: the same states for the gradients of each draw. */
  const repeated = <Value>(values: readonly Value[]) => Array.from({ length: draws }, () => values).flat();
  const report = (count: number) => {
    units += count;
    options.onProgress?.({
      stage: 'scoring',
      completed: units,
      total: (unit.forward + unit.backward) * config.layers * windows.length,
      unit: 'passes',
    });
  };
  try {
    report(0);
    const forward = await watch.time('forward', () =>
      scoreForward(programs, store, batches, owned, score, {
        signal,
        layers: layerCount,
        keepFrom: keepFrom(store, score, windows.length * tokens, budget, programs.precision === 'f16' ? 2 : 4),
        onWindows: (count) => report(count * unit.forward),
      }),
    );
    const head =
      resume ??
      (await watch.time('head gradient', () =>
        headGradients(programs, store, batches, forward.last, { ...options, objective }),
      ));
    gradients =
      'batches' in head ? head.batches : gradientsFrom(programs.runtime, head, repeated(batches), config.hiddenSize);
    const { losses } = head;
    const forwardSeconds = (performance.now() - started) / 1000;

    const layers: LayerSums[] = [...(resume?.layers ?? [])];
    for (const [index, sums] of [...layers.entries()].reverse())
      options.onScores?.(layerCount + index, sums.scores(metrics));
    const finish = async (layer: number, sums: LayerSums) => {
      if (options.onSums) return options.onSums(layer, sums);
      layers.unshift(sums);
      options.onScores?.(layer, sums.scores(metrics));
    };
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
        const seen = { windows: draws * windows.length, rows: draws * windows.length * tokens };
        await finish(layer, LayerSums.from(layoutOf(layer), seen, []));
        report(unit.backward * windows.length);
        continue;
      }
      const leaving = after;
      const cosine = keep.has('cosine')
        ? await watch.time('depth', () => sumOfCosines(programs, before.hidden, leaving))
        : 0;
      if (checks) {
        // Of the last batch: in a run that goes on, the gradients of others may have passed this layer.
        const [state, gradient] = [
          await firstWindow(programs, before.hidden.at(-1)),
          await firstWindow(programs, gradients.at(-1)),
        ];
        const note =
          state &&
          gradient &&
          (await crossCheck(programs, store, { layer, layout: layoutOf(layer), metrics, state, gradient }, checks));
        if (note && programs.precision === 'f16') throw new HalfPrecisionError(note.message);
        if (note) notes.push(note);
        checks = undefined;
      }
      const states = { hidden: repeated(before.hidden), kept: before.kept && repeated(before.kept) };
      const sums = await scoreLayer(programs, store, layer, states, gradients, {
        signal,
        watch,
        score: score(layer),
        stages,
        buffers,
        layout: layoutOf(layer),
        keep,
        resume: layer === layerCount - 1 ? resume?.begun : undefined,
        onBatch:
          options.onBatch &&
          ((begun) =>
            options.onBatch?.(async () => ({ ...(await stateAt(layer + 1)), begun: await begun() })) ??
            Promise.resolve()),
        onWindows: (count) => report((count * unit.backward) / draws),
      });
      if (keep.has('cosine')) sums.set('cosine', '', Float64Array.of(draws * cosine));
      checkScores(sums.scores(metrics), layer, programs.precision);
      await finish(layer, sums);
      owned.free(after);
      for (const values of before.kept ?? []) owned.free(Object.values(values));
      after = before.hidden;
      if (layer > 0) await options.onLayer?.(() => stateAt(layer));
    }
    const loss = losses.reduce((sum, value) => sum + value, 0) / windows.length;
    const seconds = (performance.now() - started) / 1000;
    return {
      layers: layers.map((sums) => sums.scores(metrics)),
      losses,
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

/** The programs that score a layer, one set for each kind of layers. */
function scoreProgramsOf(
  programs: Programs,
  structuresOf: ImportanceOptions['structuresOf'],
  needs: ReturnType<typeof needsOf>,
): (layer: number) => ScorePrograms {
  const { architecture } = programs;
  const made = new Map<LayerKind, ScorePrograms>();
  return (asked) => {
    const kind = architecture.kind(asked);
    const known = made.get(kind);
    if (known) return known;
    const structures =
      architecture.config.layerWidths
        .map((_, layer) => (architecture.kind(layer) === kind ? structuresOf(layer) : []))
        .find(({ length }) => length > 0) ?? [];
    const score = new ScorePrograms(programs, structures, needs, kind);
    made.set(kind, score);
    return score;
  };
}

/** The first window of a batch [windows, tokens, hiddenSize], on the host. */
async function firstWindow(programs: Programs, batch: DeviceTensor | undefined): Promise<HostTensor | undefined> {
  if (!batch) return undefined;
  const { data, shape } = await programs.readStates(batch);
  const values = data as Float32Array;
  return { dataType: 'float32', shape: [1, ...shape.slice(1)], data: values.slice(0, values.length / (shape[0] ?? 1)) };
}

/** Throws DeviceError (HalfPrecisionError in half precision) where a score is no finite number, as soon as its layer is scored. */
function checkScores(scores: LayerScores, layer: number, precision: Precision): void {
  for (const module of MODULES)
    for (const [metric, values] of Object.entries(scores[module] ?? {})) {
      const at = findNotFinite(values);
      if (at < 0) continue;
      const found = `The score "${metric}" of layer ${layer} (${module}) is ${values[at]} at group ${at}, though weights and losses are finite: a gradient, or its square, grew beyond what`;
      if (precision === 'f16')
        throw new HalfPrecisionError(`${found} half precision holds. Score in single precision (--precision f32).`);
      throw new DeviceError(
        `${found} single precision holds. Leave this metric out (--metrics), or score on other windows.`,
      );
    }
}

/** The mean cosine of each window between what enters a block and what leaves it, summed over windows. */
async function sumOfCosines(
  programs: Programs,
  before: readonly DeviceTensor[],
  after: readonly DeviceTensor[],
): Promise<number> {
  const session = await programs.session('block cosine', () =>
    programs.inPrecision(cosineGraph(programs.architecture.config.hiddenSize)),
  );
  let sum = 0;
  for (const [index, input] of before.entries()) {
    const output = after[index];
    if (!output) continue;
    using cosine = singleOutput(await session.run({ before: input, after: output }), 'cosine');
    sum += (input.shape[0] ?? 1) * Number((await programs.runtime.read(cosine)).data[0]);
  }
  return sum;
}
