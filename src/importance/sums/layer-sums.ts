import type { HostTensor } from '../../runtime/runtime.ts';
import type { ElementTotals } from '../elements/stage.ts';
import type { LinearMember } from '../structures/linear-members.ts';
import type { CoupledStructure } from '../structures/structures.ts';
import {
  addAbsolute,
  addSigned,
  emptySums,
  foldChannels,
  gradientMetrics,
  type StructureSums,
} from './accumulators.ts';
import { joinWindows, type ProgressSums, splitWindows } from './layer-progress.ts';
import type { ModuleScores } from './scores.ts';
import type { LayerPartial } from './shards.ts';
import { activationMetrics, channelNorms, magnitudeMetrics } from './weight-metrics.ts';

export interface LayerScores {
  readonly attention: ModuleScores;
  readonly mlp: ModuleScores;
}

/** Metrics that need no element sums. */
const WITHOUT_ELEMENTS = ['vector', 'vector-second', 'fisher'] as const;

/** Everything that is summed over windows for the structures of one layer, on the host in float64. */
export class LayerSums {
  windows = 0;
  rows = 0;
  readonly #structures: readonly { readonly structure: CoupledStructure; readonly sums: StructureSums }[];
  readonly #members: readonly LinearMember[];
  readonly #moments = new Map<string, { rows: number; sum: Float64Array; squares: Float64Array }>();
  /** Grouped biases are small enough for the host: per channel sums of b g_j and of (b g_j)^2, and |b g_j| of each window. */
  readonly #biases = new Map<
    string,
    { readonly first: Float64Array; readonly second: Float64Array; readonly magnitudes: Float32Array[] }
  >();

  constructor(structures: readonly CoupledStructure[], members: readonly LinearMember[]) {
    this.#structures = structures.map((structure) => ({ structure, sums: emptySums(structure) }));
    this.#members = members;
  }

  /** Takes in the outputs of the score program for a batch: [windows, channels] by `signed/<weight>`, and the moments of inputs. */
  add(windows: number, tokens: number, channels: ReadonlyMap<string, Float32Array>): void {
    const signedOf = (weight: string, window: number) => {
      const all = channels.get(`signed/${weight}`);
      const width = (all?.length ?? 0) / windows;
      return all?.subarray(window * width, (window + 1) * width);
    };
    for (let window = 0; window < windows; window++) {
      for (const { structure, sums } of this.#structures)
        addSigned(sums, structure, (weight) => signedOf(weight, window));
      for (const { bias } of this.#members)
        if (bias !== undefined) this.#addBias(bias, signedOf(bias, window) ?? new Float32Array());
    }
    for (const { weight } of this.#members) this.#addMoments(weight, windows * tokens, channels);
    this.windows += windows;
    this.rows += windows * tokens;
  }

  /** Takes in the sums of |w g_j| per channel of all windows, by weight. */
  addMagnitudes(absolute: ReadonlyMap<string, readonly Float32Array[]>): void {
    // A bias is its own matrix of one column: its |b g_j| is the magnitude of its v_jm.
    for (let window = 0; window < this.windows; window++) {
      for (const { structure, sums } of this.#structures)
        addAbsolute(
          sums,
          structure,
          (weight) => absolute.get(weight)?.[window] ?? this.#biases.get(weight)?.magnitudes[window],
        );
    }
  }

  /** The sums over the windows so far (`layer-progress.ts`), themselves: to be read before the next batch. */
  progress(): ProgressSums {
    const found = new Map<string, Float32Array | Float64Array>();
    for (const { structure, sums } of this.#structures) {
      found.set(`joint-squares/${structure.kind}`, sums.jointSquares);
      for (const [weight, values] of sums.signed) found.set(`signed/${weight}`, values);
      for (const [weight, values] of sums.signedSquares) found.set(`signed-squares/${weight}`, values);
    }
    for (const [weight, { sum, squares }] of this.#moments)
      found.set(`input-sum/${weight}`, sum).set(`input-squares/${weight}`, squares);
    for (const [bias, { first, second, magnitudes }] of this.#biases)
      found
        .set(`first/${bias}`, first)
        .set(`second/${bias}`, second)
        .set(`magnitudes/${bias}`, joinWindows(magnitudes));
    return found;
  }

  /** Before the first batch: goes on from what `progress` gave after `windows` windows of `tokens`. */
  takeUp(progress: ProgressSums, windows: number, tokens: number): void {
    const copyOf = (name: string) => Float64Array.from(progress.get(name) ?? []);
    this.windows = windows;
    this.rows = windows * tokens;
    for (const { structure, sums } of this.#structures) {
      sums.windows = windows;
      sums.jointSquares.set(copyOf(`joint-squares/${structure.kind}`));
      for (const [weight, values] of sums.signed) values.set(copyOf(`signed/${weight}`));
      for (const [weight, values] of sums.signedSquares) values.set(copyOf(`signed-squares/${weight}`));
    }
    for (const { weight, bias } of this.#members) {
      const [sum, squares] = [copyOf(`input-sum/${weight}`), copyOf(`input-squares/${weight}`)];
      if (squares.length > 0) this.#moments.set(weight, { rows: this.rows, sum, squares });
      if (bias === undefined) continue;
      const magnitudes = splitWindows(progress.get(`magnitudes/${bias}`), windows);
      this.#biases.set(bias, { first: copyOf(`first/${bias}`), second: copyOf(`second/${bias}`), magnitudes });
    }
  }

  /** All metrics of the layer; `elements` are the totals per channel, absent when element metrics were not asked for. */
  scores(
    weightOf: (weight: string) => HostTensor | undefined,
    elements: ReadonlyMap<string, ElementTotals> | undefined,
  ): LayerScores {
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

  /**
   * The sums themselves, as a shard keeps them (`shards.ts`): those whose kind is wanted. `elements` are the totals per channel, `raw` the sums for every single weight.
   */
  partial(
    wanted: ReadonlySet<string>,
    weightOf: (weight: string) => HostTensor | undefined,
    elements: ReadonlyMap<string, ElementTotals> | undefined,
    raw: {
      readonly first?: ReadonlyMap<string, Float32Array> | undefined;
      readonly second?: ReadonlyMap<string, Float32Array> | undefined;
    },
  ): LayerPartial {
    const sums = new Map<string, Float32Array | Float64Array>();
    const constants = new Map<string, Float32Array | Float64Array>();
    const add = (
      into: Map<string, Float32Array | Float64Array>,
      kind: string,
      owner: string,
      values: () => Float32Array | Float64Array,
    ) => {
      if (wanted.has(kind)) into.set(`${kind}/${owner}`, values());
    };
    for (const { structure, sums: own } of this.#structures) {
      const { kind, members } = structure;
      add(sums, 'joint-squares', kind, () => own.jointSquares);
      add(sums, 'absolute', kind, () => own.absolute);
      add(sums, 'absolute-squares', kind, () => own.absoluteSquares);
      const magnitudes = magnitudeMetrics(structure, weightOf);
      for (const metric of ['magnitude-l1', 'magnitude-l2'] as const)
        add(constants, metric, kind, () => magnitudes[metric] ?? new Float32Array(0));
      for (const { weight, axis, groupOfChannel } of members) {
        const nothing = () => new Float64Array(groupOfChannel.length);
        const bias = this.#biases.get(weight);
        add(sums, 'signed', weight, () => own.signed.get(weight) ?? nothing());
        add(sums, 'signed-squares', weight, () => own.signedSquares.get(weight) ?? nothing());
        const second = elements?.get(weight)?.elementSecond;
        add(sums, 'second-channels', weight, () =>
          second ? Float64Array.from(second, (value) => value * this.windows) : (bias?.second ?? nothing()),
        );
        add(sums, 'first', weight, () => raw.first?.get(weight) ?? bias?.first ?? nothing());
        add(sums, 'second', weight, () => raw.second?.get(weight) ?? bias?.second ?? nothing());
        const moments = this.#moments.get(weight);
        const tensor = weightOf(weight);
        if (!moments || !tensor) continue;
        add(sums, 'input-sum', weight, () => moments.sum);
        add(sums, 'input-squares', weight, () => moments.squares);
        const norms = channelNorms(tensor, axis);
        add(constants, 'column-absolute', weight, () => norms.absolute);
        add(constants, 'column-squares', weight, () => norms.squares);
        add(constants, 'outputs', weight, () => Float64Array.of(tensor.shape[0] ?? 1));
      }
    }
    return { windows: this.windows, rows: this.rows, sums, constants };
  }

  #foldElements(structure: CoupledStructure, sums: StructureSums, elements: ReadonlyMap<string, ElementTotals>): void {
    for (const { weight, groupOfChannel } of structure.members) {
      const totals = elements.get(weight) ?? this.#biasTotals(weight);
      if (!totals) continue;
      for (const name of ['elementFirst', 'elementSecond', 'elementMixed'] as const)
        foldChannels(totals[name], groupOfChannel, sums[name]);
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
    const known = this.#biases.get(bias) ?? {
      first: new Float64Array(signed.length),
      second: new Float64Array(signed.length),
      magnitudes: [],
    };
    known.magnitudes.push(signed.map(Math.abs));
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
    const known = this.#moments.get(weight) ?? {
      rows: 0,
      sum: new Float64Array(sum.length),
      squares: new Float64Array(sum.length),
    };
    known.rows += rows;
    for (let channel = 0; channel < sum.length; channel++) {
      known.sum[channel] = (known.sum[channel] ?? 0) + (sum[channel] ?? 0);
      known.squares[channel] = (known.squares[channel] ?? 0) + (squares[channel] ?? 0);
    }
    this.#moments.set(weight, known);
  }
}
