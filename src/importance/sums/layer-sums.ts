import { MismatchError } from '../../errors.ts';
import { gradientOf } from '../../passes/differentiate.ts';
import type { HostTensor } from '../../runtime/runtime.ts';
import type { ElementTotals } from '../elements/stage.ts';
import type { ChannelMember } from '../structures/channel-members.ts';
import type { LinearMember } from '../structures/linear-members.ts';
import type { CoupledStructure } from '../structures/structures.ts';
import { channelNorms, weightedSquares } from './channel-norms.ts';
import { foldChannels, perChannel } from './fold-channels.ts';
import { METRICS, type Metric, scoreOf, sumsOf } from './metrics.ts';
import type { LayerScores, ModuleScores } from './scores.ts';
import { declaredSums, type LayerLayout, type Numbers, ownersOf, type SumName, sumKey, sumKind } from './sum-table.ts';

/** How many windows, and token positions, sums run over. */
export interface Seen {
  /** Windows. */
  readonly windows: number;
  /** Token positions. */
  readonly rows: number;
}

/**
 * The sums of one layer (`sum-table.ts`), on the host. A shard, a run that goes on and one that has ended differ only in the windows that they have seen: sums grow with `add`, those of other
 * windows join with `merge`, they are stored as `tensors` and come back `from` them, and `scores` follow from them.
 */
export class LayerSums implements Seen {
  /** Windows that were seen. */
  windows = 0;
  /** Token positions that were seen. */
  rows = 0;
  readonly #layout: LayerLayout;
  readonly #values = new Map<string, Numbers>();
  /** |w g_j| per channel of grouped weights that are no matrices, of windows whose matrices' magnitudes are not known yet. */
  readonly #waiting: ReadonlyMap<string, ArrayLike<number>>[] = [];

  /** @internal */
  constructor(layout: LayerLayout) {
    this.#layout = layout;
  }

  /** Sums that `tensors` gave. Their arrays are taken over. @internal */
  static from(layout: LayerLayout, { windows, rows }: Seen, tensors: Iterable<readonly [string, Numbers]>): LayerSums {
    const sums = new LayerSums(layout);
    [sums.windows, sums.rows] = [windows, rows];
    for (const [key, values] of tensors) sums.#values.set(key, values);
    return sums;
  }

  /** Every array that is there, by its key; themselves, so read them before the next batch. @internal */
  tensors(): ReadonlyMap<string, Numbers> {
    return this.#values;
  }

  /** @internal */
  get(name: SumName, owner: string): Numbers | undefined {
    return this.#values.get(sumKey(name, owner));
  }

  /** @internal */
  set(name: SumName, owner: string, values: Numbers): void {
    this.#values.set(sumKey(name, owner), values);
  }

  /** Takes an array out. @internal */
  take(name: SumName, owner: string): Numbers | undefined {
    const values = this.get(name, owner);
    this.#values.delete(sumKey(name, owner));
    return values;
  }

  /** Drops all but the sums of these names. @internal */
  keep(names: ReadonlySet<SumName>): void {
    const kept = new Set(declaredSums(names, this.#layout).map(({ key }) => key));
    for (const key of [...this.#values.keys()]) if (!kept.has(key)) this.#values.delete(key);
  }

  /** Takes in the outputs of the score program for a batch: [windows, channels] by `signed/<weight>`, and the moments of inputs. @internal */
  add(
    windows: number,
    tokens: number,
    members: readonly LinearMember[],
    outputs: ReadonlyMap<string, Float32Array>,
    channels: readonly ChannelMember[] = [],
  ): void {
    const ofWindow = (kind: 'signed' | 'elements', weight: string, window: number) => {
      const all = outputs.get(`${kind}/${weight}`);
      const width = (all?.length ?? 0) / windows;
      return all?.subarray(window * width, (window + 1) * width) ?? new Float32Array();
    };
    const biases = members.flatMap(({ bias }) => (bias === undefined ? [] : [bias]));
    for (let window = 0; window < windows; window++) {
      for (const structure of this.#layout.structures)
        this.#addSigned(structure, (weight) => ofWindow('signed', weight, window));
      this.#addVectors([
        ...biases.map((bias) => [bias, ofWindow('signed', bias, window)] as const),
        ...channels.map(({ weight }) => [weight, ofWindow('elements', weight, window)] as const),
      ]);
    }
    const kernels = channels.flatMap(({ weight, shape, convolution }) =>
      convolution && shape.length > 1 ? [{ weight, ...convolution }] : [],
    );
    for (const { weight, input, output } of [...members, ...kernels]) {
      for (const [name, found] of [
        ['input-sum', `sum/${weight}`],
        ['input-squares', `squares/${weight}`],
        ['input-energy', `energy/${input}`],
        ['gradient-energy', `energy/${gradientOf(output)}`],
      ] as const) {
        const values = outputs.get(found);
        if (values) accumulate(this.#grown(name, weight, values.length), values, 1);
      }
    }
    this.windows += windows;
    this.rows += windows * tokens;
  }

  /** Takes in the sums of |w g_j| per channel of further windows, by weight: in their order, each once, and not before `add`. @internal */
  addMagnitudes(absolute: ReadonlyMap<string, readonly Float32Array[]>): void {
    const windows = [...absolute.values()][0]?.length ?? 0;
    for (let window = 0; window < windows; window++) {
      // A bias is its own matrix of one column: its |b g_j| is the magnitude of its v_jm.
      const biases = this.#waiting.shift();
      for (const structure of this.#layout.structures) {
        const total = new Float64Array(structure.groups);
        for (const { weight, groupOfChannel } of structure.members) {
          const channels = absolute.get(weight)?.[window] ?? biases?.get(weight);
          if (channels) foldChannels(channels, groupOfChannel, total);
        }
        accumulate(this.#grown('absolute', structure.kind, structure.groups), total, 1);
        accumulate(this.#grown('absolute-squares', structure.kind, structure.groups), total, 2);
      }
    }
  }

  /** After the last window: the energies of channels, from those of inputs and outputs. The energy of a bias' only input, 1, is the number of token positions. @internal */
  closeEnergies(
    members: readonly LinearMember[],
    weightOf: (weight: string) => HostTensor | undefined,
    channels: readonly ChannelMember[] = [],
  ): void {
    this.#closeConvolutions(channels, weightOf);
    for (const { weight, axis, bias } of members) {
      const [inputs, outputs] = [this.get('input-energy', weight), this.get('gradient-energy', weight)];
      const [matrix, added] = [weightOf(weight), bias === undefined ? undefined : weightOf(bias)];
      if (!inputs || !outputs || !matrix) continue;
      this.set('own-energy', weight, Float64Array.from(axis === 0 ? outputs : inputs));
      this.set('other-energy', weight, weightedSquares(matrix, axis, axis === 0 ? inputs : outputs));
      if (bias === undefined || !added) continue;
      this.set('own-energy', bias, Float64Array.from(outputs));
      const rows = this.rows;
      this.set(
        'other-energy',
        bias,
        Float64Array.from(added.data as Float32Array, (value) => rows * value * value),
      );
    }
  }

  /** A weight of a convolution's channel reads that channel's input alone, and what is added to a channel reads 1. */
  #closeConvolutions(channels: readonly ChannelMember[], weightOf: (weight: string) => HostTensor | undefined): void {
    // A sink is one number a head, which has no input of its own: it is left out.
    for (const { weight, shape, convolution } of channels) {
      if (convolution) continue;
      const none = new Float64Array(Number(this.#layout.shapeOf(weight)[0] ?? shape[0]));
      this.set('own-energy', weight, none);
      this.set('other-energy', weight, none);
    }
    const kernel = channels.find(({ shape }) => shape.length > 1)?.weight;
    if (kernel === undefined) return;
    const [inputs, outputs] = [this.get('input-energy', kernel), this.get('gradient-energy', kernel)];
    if (!inputs || !outputs) return;
    for (const { weight } of channels) {
      const tensor = weightOf(weight);
      if (!tensor) continue;
      const { squares } = channelNorms(tensor, 0);
      this.set('own-energy', weight, Float64Array.from(outputs));
      this.set(
        'other-energy',
        weight,
        squares.map((value, channel) => value * (weight === kernel ? (inputs[channel] as number) : this.rows)),
      );
    }
  }

  /** After the last window: what follows from the weights alone. @internal */
  addWeights(weightOf: (weight: string) => HostTensor | undefined): void {
    for (const structure of this.#layout.structures) {
      const [first, second] = [new Float64Array(structure.groups), new Float64Array(structure.groups)];
      const columns = ownersOf('outputs', structure, this.#layout);
      for (const { weight, axis, groupOfChannel } of structure.members) {
        const tensor = weightOf(weight);
        if (!tensor) continue;
        const { absolute, squares } = channelNorms(tensor, axis);
        foldChannels(absolute, groupOfChannel, first);
        foldChannels(squares, groupOfChannel, second);
        if (!columns.includes(weight)) continue;
        this.set('column-absolute', weight, absolute);
        this.set('column-squares', weight, squares);
        this.set('outputs', weight, Float64Array.of(tensor.shape[0] ?? 1));
      }
      // In float32, as score files have them.
      this.set('magnitude-l1', structure.kind, Float64Array.from(Float32Array.from(first)));
      this.set('magnitude-l2', structure.kind, Float64Array.from(Float32Array.from(second)));
    }
  }

  /** After the last window of the run: the element sums of each channel, from `totals` by weight where an engine has reduced them, else from the sums of single weights that are there. @internal */
  close(totals?: ReadonlyMap<string, ElementTotals>): void {
    for (const { members } of this.#layout.structures) {
      for (const { weight, axis, groupOfChannel } of members) {
        const engine = totals?.get(weight);
        const first = this.get('first', weight) ?? this.get('bias-first', weight);
        const second = this.get('second', weight) ?? this.get('bias-second', weight);
        const channels = (values: Numbers, value: (k: number) => number) =>
          perChannel(values.length, groupOfChannel.length, axis, value);
        const mean = (values: Numbers, k: number) => (values[k] as number) / this.windows;
        if (engine) {
          this.set('first-total', weight, Float64Array.from(engine.elementFirst));
          this.set('mixed-total', weight, Float64Array.from(engine.elementMixed));
          this.set(
            'second-channels',
            weight,
            Float64Array.from(engine.elementSecond, (value) => value * this.windows),
          );
        } else {
          if (first)
            this.set(
              'first-total',
              weight,
              channels(first, (k) => Math.abs(mean(first, k))),
            );
          if (first && second)
            this.set(
              'mixed-total',
              weight,
              channels(first, (k) => Math.abs(mean(first, k) - mean(second, k) / 2)),
            );
          if (second && !this.get('second-channels', weight))
            this.set(
              'second-channels',
              weight,
              channels(second, (k) => second[k] as number),
            );
        }
      }
    }
  }

  /**
   * Takes in the sums of other windows of the same layer. Throws MismatchError where one has sums that the other lacks, or they belong to different weights; `names` are what messages
   * call the two.
   * @internal
   */
  merge(other: LayerSums, names: readonly [string, string] = ['One part', 'the other']): void {
    for (const key of new Set([...this.#values.keys(), ...other.#values.keys()])) {
      const [a, b] = [this.#values.get(key), other.#values.get(key)];
      const [mine, its] = names;
      if (!a || !b)
        throw new MismatchError(
          `${a ? its : mine} has no "${key}" and ${a ? mine : its} has. Score all shards with the same metrics.`,
        );
      if (a.length !== b.length)
        throw new MismatchError(
          `"${key}" has ${a.length} numbers in ${mine} and ${b.length} in ${its}. Score all shards with the same model.`,
        );
      const { joins } = sumKind(key.split('/')[0] as SumName);
      if (joins === 'never')
        throw new MismatchError(
          `"${key}" of ${mine} and ${its} cannot be joined: it is of all windows of a run. Score shards with --shard.`,
        );
      if (joins === 'add') accumulate(a, b, 1);
      else if (a.some((value, index) => value !== b[index]))
        throw new MismatchError(`"${key}" differs between ${mine} and ${its}: they scored different weights.`);
    }
    this.windows += other.windows;
    this.rows += other.rows;
  }

  /** Those of the metrics whose sums are there, of every group. @internal */
  scores(metrics: readonly Metric[] = METRICS): LayerScores {
    const scores: { -readonly [module in keyof LayerScores]: ModuleScores } = { attention: {}, mlp: {} };
    for (const structure of this.#layout.structures)
      scores[structure.kind] = Object.fromEntries(
        metrics
          .filter((metric) => sumsOf(metric).every((name) => this.#has(name, structure)))
          .map((metric) => [metric, scoreOf(metric, this.#view(structure))]),
      );
    return scores;
  }

  #view(structure: CoupledStructure) {
    return {
      structure,
      windows: this.windows,
      rows: this.rows,
      membersOf: (name: SumName) => {
        const owners = ownersOf(name, structure, this.#layout);
        return structure.members.filter(({ weight }) => owners.includes(weight));
      },
      sum: (name: SumName, weight?: string): Numbers => {
        const { of } = sumKind(name);
        const values = this.get(name, weight ?? (of === 'layer' ? '' : structure.kind));
        if (!values) throw new MismatchError(`The sums of ${structure.kind} have no "${name}" of ${weight ?? 'it'}.`);
        return values;
      },
    };
  }

  #has(name: SumName, structure: CoupledStructure): boolean {
    const owners = ownersOf(name, structure, this.#layout);
    return owners.length > 0 && owners.every((owner) => this.get(name, owner));
  }

  /** A sum that starts at zero. */
  #grown(name: SumName, owner: string, length: number): Numbers {
    const known = this.get(name, owner) ?? new Float64Array(length);
    this.set(name, owner, known);
    return known;
  }

  #addSigned(structure: CoupledStructure, signed: (weight: string) => ArrayLike<number>): void {
    const joint = new Float64Array(structure.groups);
    for (const { weight, groupOfChannel } of structure.members) {
      const values = foldChannels(signed(weight), groupOfChannel, new Float64Array(structure.groups));
      accumulate(this.#grown('signed', weight, structure.groups), values, 1);
      accumulate(this.#grown('signed-squares', weight, structure.groups), values, 2);
      accumulate(joint, values, 1);
    }
    accumulate(this.#grown('joint-squares', structure.kind, structure.groups), joint, 2);
  }

  /** w g of one window, of every weight that is no matrix. */
  #addVectors(vectors: readonly (readonly [weight: string, values: Float32Array])[]): void {
    const magnitudes = new Map<string, ArrayLike<number>>();
    for (const [weight, values] of vectors) {
      const channels = this.#layout.shapeOf(weight)[0] ?? values.length;
      magnitudes.set(
        weight,
        perChannel(values.length, channels, 0, (index) => Math.abs(values[index] as number)),
      );
      accumulate(this.#grown('bias-first', weight, values.length), values, 1);
      accumulate(this.#grown('bias-second', weight, values.length), values, 2);
    }
    this.#waiting.push(magnitudes);
  }
}

function accumulate(target: Numbers, values: ArrayLike<number>, power: 1 | 2): void {
  for (let index = 0; index < target.length; index++) {
    const value = values[index] as number;
    target[index] = (target[index] as number) + (power === 1 ? value : value * value);
  }
}
