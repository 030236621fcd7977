import { exampleBindings, only, type Programs } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { readWeights, uploadWeights } from '../architecture/weights.ts';
import { throwIfCancelled } from '../errors.ts';
import type { LongRunning } from '../progress.ts';
import type { DeviceTensor, Runtime } from '../runtime/runtime.ts';
import { addWindow, emptySums, foldChannels, gradientMetrics, type StructureSums } from './accumulators.ts';
import { elementReductionGraph, type LinearMember, linearMembers, scoreGraph } from './score-graph.ts';
import type { ModuleScores } from './scores.ts';
import type { CoupledStructure } from './structures.ts';
import { activationMetrics, magnitudeMetrics } from './weight-metrics.ts';

export interface LayerScores {
  readonly attention: ModuleScores;
  readonly mlp: ModuleScores;
}

interface ScoreLayerOptions extends LongRunning {
  readonly structures: readonly CoupledStructure[];
  readonly elements?: boolean;
  readonly onWindow: (window: number) => void;
}

/**
 * Scores one layer from the states that enter it and the gradients that leave it, one window at a time.
 * Returns the scores and the gradients with respect to the entering states (owned by the caller).
 */
export async function scoreLayer(
  programs: Programs,
  store: WeightStore,
  layer: number,
  states: readonly DeviceTensor[],
  outputGradients: readonly DeviceTensor[],
  options: ScoreLayerOptions,
): Promise<{ readonly scores: LayerScores; readonly gradients: DeviceTensor[] }> {
  const { structures } = options;
  const elements = options.elements ?? true;
  const block = programs.architecture.block();
  const members = linearMembers(block, structures);
  const session = await programs.session(elements ? 'score' : 'score vector', () =>
    scoreGraph(block, members, exampleBindings(programs.architecture), { elements: elements ? 'inline' : 'none' }),
  );
  const hostWeights = await readWeights(store.model.checkpoint, store.model.architecture.blockWeights(layer));
  using weights = uploadWeights(programs.runtime, hostWeights);
  using accumulators = new Accumulators(programs.runtime, elements ? members : [], (weight) => hostWeights[weight]?.shape ?? []);
  const sums = structures.map((structure) => emptySums(structure));
  const moments = new Map<string, { rows: number; sum: Float64Array; squares: Float64Array }>();
  const biases = new BiasElements();
  const gradients: DeviceTensor[] = [];
  try {
    for (const [window, hidden] of states.entries()) {
      throwIfCancelled(options.signal);
      const outputGradient = outputGradients[window];
      if (!outputGradient) continue;
      const { cosine, sine, mask } = programs.positions(hidden.shape[1] ?? 0, layer);
      const outputs = await session.run(
        { ...weights.tensors, ...accumulators.feeds(), hidden, cosine, sine, mask, outputGradient },
        { into: accumulators.targets() },
      );
      gradients.push(only(outputs, 'gradient/hidden'));
      accumulators.swap();
      const channels = await readSmall(programs.runtime, outputs, (name) => /^(signed|absolute|sum|squares)\//.test(name));
      for (const member of members) {
        if (member.bias) biases.add(member.bias, channels.get(`signed/${member.bias}`) ?? []);
        addMoments(moments, member, (hidden.shape[0] ?? 1) * (hidden.shape[1] ?? 0), channels);
      }
      structures.forEach((structure, index) => {
        const absolute = (weight: string) => (elements ? (channels.get(`absolute/${weight}`) ?? channels.get(`signed/${weight}`)?.map(Math.abs)) : undefined);
        addWindow(sums[index] as StructureSums, structure, (weight) => channels.get(`signed/${weight}`), absolute);
      });
      options.onWindow(window + 1);
    }
    if (elements) await reduceElements(programs, members, accumulators, structures, sums, states.length, biases);
    const scores: Record<'attention' | 'mlp', ModuleScores> = { attention: {}, mlp: {} };
    structures.forEach((structure, index) => {
      const gradient = gradientMetrics(sums[index] as StructureSums);
      scores[structure.kind] = {
        ...(elements ? gradient : { vector: gradient.vector, 'vector-second': gradient['vector-second'], fisher: gradient.fisher }),
        ...magnitudeMetrics(structure, (weight) => hostWeights[weight]),
        ...activationMetrics(
          structure,
          (weight) => hostWeights[weight],
          (weight) => moments.get(weight),
        ),
      } as ModuleScores;
    });
    return { scores, gradients };
  } catch (error) {
    for (const gradient of gradients) gradient.dispose();
    throw error;
  }
}

/** Device accumulators of w g and w^2 g^2 per member weight; written in place on CPU and WASM, in two alternating buffers on WebGPU. */
class Accumulators implements Disposable {
  readonly #names: readonly string[];
  #current: Record<string, DeviceTensor> = {};
  #next: Record<string, DeviceTensor> = {};

  constructor(runtime: Runtime, members: readonly LinearMember[], shapeOf: (weight: string) => readonly number[]) {
    this.#names = members.flatMap(({ weight }) => [`first/${weight}`, `second/${weight}`]);
    const inPlace = runtime.backend !== 'webgpu';
    for (const { weight } of members) {
      for (const name of [`first/${weight}`, `second/${weight}`]) {
        const tensor = runtime.allocate('float32', shapeOf(weight));
        this.#current[name] = tensor;
        this.#next[name] = inPlace ? tensor : runtime.allocate('float32', shapeOf(weight));
      }
    }
  }

  feeds(): Record<string, DeviceTensor> {
    return this.#current;
  }

  targets(): Record<string, DeviceTensor> {
    return Object.fromEntries(this.#names.map((name) => [`${name}/next`, this.#next[name] as DeviceTensor]));
  }

  swap(): void {
    [this.#current, this.#next] = [this.#next, this.#current];
  }

  tensor(name: string): DeviceTensor {
    return only(this.#current, name);
  }

  [Symbol.dispose](): void {
    for (const tensor of new Set([...Object.values(this.#current), ...Object.values(this.#next)])) tensor.dispose();
  }
}

/** Element sums of grouped biases, which are small enough for the host: per channel sum of b g_j and of (b g_j)^2. */
class BiasElements {
  readonly sums = new Map<string, { readonly first: Float64Array; readonly second: Float64Array }>();

  add(bias: string, signed: ArrayLike<number>): void {
    const known = this.sums.get(bias) ?? { first: new Float64Array(signed.length), second: new Float64Array(signed.length) };
    for (let channel = 0; channel < signed.length; channel++) {
      const value = signed[channel] ?? 0;
      known.first[channel] = (known.first[channel] ?? 0) + value;
      known.second[channel] = (known.second[channel] ?? 0) + value * value;
    }
    this.sums.set(bias, known);
  }
}

async function readSmall(runtime: Runtime, outputs: Record<string, DeviceTensor>, matches: (name: string) => boolean): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  for (const [name, tensor] of Object.entries(outputs)) {
    if (!matches(name)) continue;
    found.set(name, (await runtime.read(tensor)).data as Float32Array);
    tensor.dispose();
  }
  return found;
}

function addMoments(
  moments: Map<string, { rows: number; sum: Float64Array; squares: Float64Array }>,
  { weight }: LinearMember,
  rows: number,
  channels: ReadonlyMap<string, Float32Array>,
): void {
  const sum = channels.get(`sum/${weight}`);
  const squares = channels.get(`squares/${weight}`);
  if (!sum || !squares) return;
  const known = moments.get(weight) ?? { rows: 0, sum: new Float64Array(sum.length), squares: new Float64Array(sum.length) };
  known.rows += rows;
  for (let channel = 0; channel < sum.length; channel++) {
    known.sum[channel] = (known.sum[channel] ?? 0) + (sum[channel] ?? 0);
    known.squares[channel] = (known.squares[channel] ?? 0) + (squares[channel] ?? 0);
  }
  moments.set(weight, known);
}

async function reduceElements(
  programs: Programs,
  members: readonly LinearMember[],
  accumulators: Accumulators,
  structures: readonly CoupledStructure[],
  sums: readonly StructureSums[],
  windows: number,
  biases: BiasElements,
): Promise<void> {
  using scale = programs.runtime.upload({ dataType: 'float32', shape: [], data: Float32Array.of(1 / windows) });
  const channels = new Map<string, Map<string, ArrayLike<number>>>();
  for (const { weight, axis } of members) {
    const session = await programs.session(`element reduction ${axis}`, () => elementReductionGraph(axis));
    const outputs = await session.run({ first: accumulators.tensor(`first/${weight}`), second: accumulators.tensor(`second/${weight}`), scale });
    channels.set(weight, await readSmall(programs.runtime, outputs, () => true));
  }
  for (const [bias, { first, second }] of biases.sums) {
    const mean = first.map((value) => value / windows);
    const meanSquare = second.map((value) => value / windows);
    const mixed = mean.map((value, channel) => Math.abs(value - (meanSquare[channel] ?? 0) / 2));
    channels.set(
      bias,
      new Map<string, ArrayLike<number>>([
        ['elementFirst', mean.map(Math.abs)],
        ['elementSecond', meanSquare],
        ['elementMixed', mixed],
      ]),
    );
  }
  structures.forEach((structure, index) => {
    for (const { weight, groupOfChannel } of structure.members) {
      for (const name of ['elementFirst', 'elementSecond', 'elementMixed'] as const) {
        const values = channels.get(weight)?.get(name);
        if (values) foldChannels(values, groupOfChannel, (sums[index] as StructureSums)[name]);
      }
    }
  });
}
