import { Programs } from '../architecture/programs.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import type { DeviceTensor, HostTensor, Runtime } from '../runtime/runtime.ts';
import { ElementStages } from './elements/element-stages.ts';
import { RunBuffers } from './elements/run-buffers.ts';
import { scoreLayer } from './program/score-layer.ts';
import { ScorePrograms } from './program/score-programs.ts';
import { Stopwatch } from './stopwatch.ts';
import { MODULES } from './structures/structures.ts';
import { keptSums, type Metric, needsOf } from './sums/metrics.ts';
import type { LayerScores } from './sums/scores.ts';
import type { LayerLayout } from './sums/sum-table.ts';

/** Scores of one layer by the backend in use and by another one differ by more than rounding explains. */
export interface BackendNote {
  /** Which kind of note. */
  readonly code: 'backends-differ';
  /** The layer that was compared. */
  readonly layer: number;
  /** The worst value: a metric of a group, or the block's output. */
  readonly what: string;
  /** What the backend computed. */
  readonly found: number;
  /** What the other engine computed. */
  readonly expected: number;
  /** |found - expected| over the largest value of its kind in the layer. */
  readonly difference: number;
  /** Difference that would have been accepted. */
  readonly tolerance: number;
  /** A sentence for people. */
  readonly message: string;
}

/** A comparison of one layer's scores by two engines. */
export interface CrossCheck {
  /** Starts the backend to compare with; it is disposed afterwards. */
  readonly start: () => Promise<Runtime>;
  /** Default 1e-2, in half precision 5e-2: float32 in another order of sums stays below 1e-3 and half precision below 1e-2, a wrong kernel does not. */
  readonly tolerance?: number;
}

/** What is scored on both sides: a layer, one window that enters it, and the gradient that leaves it. */
export interface CheckedLayer {
  readonly layer: number;
  readonly layout: LayerLayout;
  readonly metrics: readonly Metric[];
  readonly state: HostTensor;
  readonly gradient: HostTensor;
}

/** Groups of each module that are compared, spread over all of them. */
const GROUPS = 8;

/**
 * Scores one window of one layer on the backend in use and on another, from the same state and gradient, and compares the block's output and a few groups by every metric.
 * Returns a note where they differ by more than the tolerance. What the backend in use runs is what it runs for all windows: the same programs and kernels.
 */
export async function crossCheck(
  programs: Programs,
  store: WeightStore,
  checked: CheckedLayer,
  { start, tolerance = programs.precision === 'f16' ? 5e-2 : 1e-2 }: CrossCheck,
): Promise<BackendNote | undefined> {
  using other = await start();
  using otherPrograms = new Programs(other, programs.architecture);
  using otherStore = new WeightStore(other, store.model);
  const found = await scoreWindow(programs, store, checked);
  const expected = await scoreWindow(otherPrograms, otherStore, checked);
  const worst = [...compared(found, expected, checked.metrics)].reduce((a, b) =>
    b.difference > a.difference || Number.isNaN(b.difference) ? b : a,
  );
  if (worst.difference <= tolerance) return undefined;
  const { layer } = checked;
  const [how, remedy] =
    programs.precision === 'f16'
      ? [' in half precision', 'Score in single precision (--precision f32).']
      : ['', 'Do not trust these scores; score again on the other backend.'];
  const message =
    `${programs.runtime.description}${how} and ${other.description} disagree on layer ${layer}: ${worst.what} is ${worst.found.toPrecision(4)} and ${worst.expected.toPrecision(4)}, ` +
    `a difference of ${(100 * worst.difference).toPrecision(2)}% of the layer's largest, where ${100 * tolerance}% is allowed. ${remedy}`;
  return { code: 'backends-differ', layer, ...worst, tolerance, message };
}

interface WindowScores {
  readonly scores: LayerScores;
  readonly output: Float32Array;
}

async function scoreWindow(
  programs: Programs,
  store: WeightStore,
  { layer, layout, metrics, state, gradient }: CheckedLayer,
): Promise<WindowScores> {
  const { runtime } = programs;
  const needs = needsOf(metrics);
  const score = new ScorePrograms(programs, layout.structures, needs, programs.architecture.kind(layer));
  using stages = needs.has('elements') ? new ElementStages(programs) : undefined;
  using buffers = new RunBuffers(runtime);
  using hidden = programs.uploadStates(state);
  const gradients: DeviceTensor[] = [runtime.upload(gradient)];
  try {
    using weights = await store.lease(layer);
    using output = await programs.block(weights, hidden, layer);
    const states = { hidden: [hidden], kept: undefined };
    const sums = await scoreLayer(programs, store, layer, states, gradients, {
      layout,
      keep: keptSums(metrics, 'all'),
      score,
      stages,
      buffers,
      watch: new Stopwatch(),
      onWindows: () => undefined,
    });
    return { scores: sums.scores(metrics), output: (await programs.readStates(output)).data as Float32Array };
  } finally {
    for (const tensor of gradients) tensor.dispose();
  }
}

type Comparison = Pick<BackendNote, 'what' | 'found' | 'expected' | 'difference'>;

function* compared(found: WindowScores, expected: WindowScores, metrics: readonly Metric[]): Generator<Comparison> {
  yield* differences('the output of the block', found.output, expected.output, found.output.length);
  for (const module of MODULES) {
    for (const metric of metrics.filter((name) => name !== 'stability')) {
      const [a, b] = [found.scores[module]?.[metric], expected.scores[module]?.[metric]];
      if (a && b) yield* differences(`"${metric}" of ${module}`, a, b, GROUPS);
    }
  }
}

/** Compares at most `count` values, evenly spread, against the scale of all. */
function* differences(what: string, found: Float32Array, expected: Float32Array, count: number): Generator<Comparison> {
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), Number.MIN_VALUE);
  const step = Math.max(1, Math.floor(expected.length / count));
  for (let index = 0; index < expected.length; index += step) {
    const [a, b] = [found[index] ?? Number.NaN, expected[index] ?? Number.NaN];
    yield { what: `${what}, number ${index}`, found: a, expected: b, difference: Math.abs(a - b) / scale };
  }
}
