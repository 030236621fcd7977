import type { HostTensor } from '../runtime/runtime.ts';
import { addWindow, emptySums, foldChannels, gradientMetrics, type StructureSums } from './accumulators.ts';
import type { ElementTotals } from './element-stage.ts';
import type { LinearMember } from './score-graph.ts';
import type { ModuleScores } from './scores.ts';
import type { CoupledStructure } from './structures.ts';
import { activationMetrics, magnitudeMetrics } from './weight-metrics.ts';

export interface LayerScores {
  readonly attention: ModuleScores;
  readonly mlp: ModuleScores;
}

/** Metrics that need no element sums. */
const WITHOUT_ELEMENTS = ['vector', 'vector-second', 'fisher'] as const;

/** Everything that is summed over windows for the structures of one layer, on the host in float64. */
export class LayerSums {
  windows = 0;
  readonly #structures: readonly { readonly structure: CoupledStructure; readonly sums: StructureSums }[];
  readonly #members: readonly LinearMember[];
  readonly #moments = new Map<string, { rows: number; sum: Float64Array; squares: Float64Array }>();
  /** Grouped biases are small enough for the host: per channel sums of b g_j and of (b g_j)^2. */
  readonly #biases = new Map<string, { readonly first: Float64Array; readonly second: Float64Array }>();

  constructor(structures: readonly CoupledStructure[], members: readonly LinearMember[]) {
    this.#structures = structures.map((structure) => ({ structure, sums: emptySums(structure) }));
    this.#members = members;
  }

  /** Takes in the outputs of the score program for a batch ([windows, channels] by `signed/<weight>`, …) and the sums of |w g_j| by weight. */
  add(windows: number, tokens: number, channels: ReadonlyMap<string, Float32Array>, absolute: ReadonlyMap<string, readonly Float32Array[]> | undefined): void {
    const signedOf = (weight: string, window: number) => {
      const all = channels.get(`signed/${weight}`);
      const width = (all?.length ?? 0) / windows;
      return all?.subarray(window * width, (window + 1) * width);
    };
    for (let window = 0; window < windows; window++) {
      for (const { structure, sums } of this.#structures) {
        // A bias is its own matrix of one column: its |b g_j| is the magnitude of its v_jm.
        const magnitude = (weight: string) => absolute && (absolute.get(weight)?.[window] ?? signedOf(weight, window)?.map(Math.abs));
        addWindow(sums, structure, (weight) => signedOf(weight, window), magnitude);
      }
      for (const { bias } of this.#members) if (bias !== undefined) this.#addBias(bias, signedOf(bias, window) ?? new Float32Array());
    }
    for (const { weight } of this.#members) this.#addMoments(weight, windows * tokens, channels);
    this.windows += windows;
  }

  /** All metrics of the layer; `elements` are the totals per channel, absent when element metrics were not asked for. */
  scores(weightOf: (weight: string) => HostTensor | undefined, elements: ReadonlyMap<string, ElementTotals> | undefined): LayerScores {
    const scores: Record<'attention' | 'mlp', ModuleScores> = { attention: {}, mlp: {} };
    for (const { structure, sums } of this.#structures) {
      if (elements) this.#foldElements(structure, sums, elements);
      const gradient = gradientMetrics(sums);
      scores[structure.kind] = {
        ...(elements ? gradient : Object.fromEntries(WITHOUT_ELEMENTS.map((metric) => [metric, gradient[metric]]))),
        ...magnitudeMetrics(structure, weightOf),
        ...activationMetrics(structure, weightOf, (weight) => this.#moments.get(weight)),
      };
    }
    return scores;
  }

  #foldElements(structure: CoupledStructure, sums: StructureSums, elements: ReadonlyMap<string, ElementTotals>): void {
    for (const { weight, groupOfChannel } of structure.members) {
      const totals = elements.get(weight) ?? this.#biasTotals(weight);
      if (!totals) continue;
      for (const name of ['elementFirst', 'elementSecond', 'elementMixed'] as const) foldChannels(totals[name], groupOfChannel, sums[name]);
    }
  }

  #biasTotals(bias: string): ElementTotals | undefined {
    const known = this.#biases.get(bias);
    if (!known) return undefined;
    const mean = known.first.map((value) => value / this.windows);
    const meanSquare = known.second.map((value) => value / this.windows);
    return {
      elementFirst: mean.map(Math.abs),
      elementSecond: meanSquare,
      elementMixed: mean.map((value, channel) => Math.abs(value - (meanSquare[channel] ?? 0) / 2)),
    };
  }

  #addBias(bias: string, signed: Float32Array): void {
    const known = this.#biases.get(bias) ?? { first: new Float64Array(signed.length), second: new Float64Array(signed.length) };
    for (let channel = 0; channel < signed.length; channel++) {
      const value = signed[channel] ?? 0;
      known.first[channel] = (known.first[channel] ?? 0) + value;
      known.second[channel] = (known.second[channel] ?? 0) + value * value;
    }
    this.#biases.set(bias, known);
  }

  #addMoments(weight: string, rows: number, channels: ReadonlyMap<string, Float32Array>): void {
    const sum = channels.get(`sum/${weight}`);
    const squares = channels.get(`squares/${weight}`);
    if (!sum || !squares) return;
    const known = this.#moments.get(weight) ?? { rows: 0, sum: new Float64Array(sum.length), squares: new Float64Array(sum.length) };
    known.rows += rows;
    for (let channel = 0; channel < sum.length; channel++) {
      known.sum[channel] = (known.sum[channel] ?? 0) + (sum[channel] ?? 0);
      known.squares[channel] = (known.squares[channel] ?? 0) + (squares[channel] ?? 0);
    }
    this.#moments.set(weight, known);
  }
}
