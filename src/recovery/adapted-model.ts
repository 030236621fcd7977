import type { LayerKind } from '../architecture/architecture.ts';
import { streamBlocks } from '../architecture/forward.ts';
import { type Programs, singleOutput } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { DeviceWeights } from '../architecture/weights.ts';
import { transpose } from '../arrays.ts';
import { groupMembers, groupsOf } from '../checkpoint/group-quantised.ts';
import { MismatchError, throwIfCancelled } from '../errors.ts';
import { gradientOf } from '../passes/differentiate.ts';
import type { Backend, DeviceTensor, Session } from '../runtime/runtime.ts';
import { ActivationTrail, type RunTrail, type Tensors } from './activation-trail.ts';
import {
  type AdapterGraphOptions,
  type AdapterSite,
  adapterInputs,
  adapterSites,
  siteInputs,
  stepInputs,
} from './adapted-block.ts';
import { AdaptedPrograms } from './adapted-programs.ts';
import { type Adapter, poolingMatrix, stepFactors, stepGradient } from './adapter.ts';
import { dropoutMask } from './dropout.ts';
import { mixSeeds } from './seeds.ts';

/** Adapters of one layer by the block program's weight inputs. */
export type LayerAdapters = ReadonlyMap<string, Adapter>;

/** Where dropout draws from: masks of the same step and run are the same whenever they are asked for. */
export interface DropoutState {
  readonly share: number;
  readonly seed: number;
  readonly step: number;
  readonly run: number;
}

/** What layers of one kind share. */
interface AdaptedKind {
  readonly sites: readonly AdapterSite[];
  readonly plain: AdaptedPrograms;
  readonly masked: AdaptedPrograms;
}

export interface AdaptedModelOptions {
  /** Bytes that a training step may keep activations and masks in, instead of computing them again. Default: `ACTIVATION_BYTES`. */
  readonly activationBytes?: number | undefined;
}

/** A run of 1,024 tokens through a model of 135 million parameters keeps 0.7 GiB, with the masks of plain LoRA 1.0 GiB. In a browser all memory of WebAssembly is 4 GiB. */
const ACTIVATION_BYTES: Readonly<Record<Backend, number>> = { cpu: 2 * 2 ** 30, wasm: 256 << 20, webgpu: 256 << 20 };

/**
 * A model whose weights stay fixed, with adapters on its linear layers. Blocks run by one forward and one backward session for all layers and widths
 * (docs/architecture.md section 1.3). A forward pass that is to be followed by a backward one keeps what that reads, within a budget; of the layers beyond it only
 * the inputs, and their blocks are recomputed.
 */
export class AdaptedModel implements Disposable {
  readonly programs: Programs;
  readonly store: WeightStore;
  readonly layers: readonly LayerAdapters[];
  readonly #groupSize: number;
  readonly #pools = new Map<number, DeviceTensor>();
  readonly #activationBytes: number;
  readonly #graphs: Omit<AdapterGraphOptions, 'dropout'>;
  readonly #ofKinds = new Map<LayerKind, AdaptedKind>();

  constructor(
    programs: Programs,
    store: WeightStore,
    layers: readonly LayerAdapters[],
    options: AdaptedModelOptions = {},
  ) {
    this.programs = programs;
    this.store = store;
    this.layers = layers;
    const [first] = layers.flatMap((adapters) => [...adapters.values()]);
    if (!first) throw new MismatchError('There are no adapters: every block of the model was removed.');
    this.#groupSize = first.groupSize;
    this.#activationBytes = options.activationBytes ?? ACTIVATION_BYTES[programs.runtime.backend];
    this.#graphs = { strength: first.strength, pooled: first.groupSize > 1, steps: first.steps !== undefined };
  }

  /** Where a forward pass keeps what its backward pass reads. Disposed by the caller. */
  trail(): ActivationTrail {
    return new ActivationTrail(this.#activationBytes);
  }

  /**
   * Runs batches from their embeddings, which it takes over, through all blocks. With a `trail` it leaves there what `backward` needs.
   * Returns the states [windows, tokens, hiddenSize] after the last block, owned by the caller.
   */
  async forward(
    states: readonly DeviceTensor[],
    dropout: ((run: number) => DropoutState | undefined) | undefined,
    { signal, trail }: { readonly signal?: AbortSignal | undefined; readonly trail?: ActivationTrail } = {},
  ): Promise<DeviceTensor[]> {
    return await streamBlocks(this.programs, this.store, states, {
      signal,
      layers: this.layers.length,
      weights: async (layer) => {
        const weights = await this.store.lease(layer);
        try {
          return new AdaptedWeights(weights, this.#lease(this.#adapters(layer)));
        } catch (error) {
          weights.dispose();
          throw error;
        }
      },
      run: async ({ tensors }, hidden, layer, run) => {
        const adapters = this.#adapters(layer);
        const masks = this.#masks(layer, adapters, hidden, dropout?.(run));
        const feeds = { ...tensors, ...this.#shared(layer, adapters, hidden), ...masks, hidden };
        const { output, kept } = await this.#runBlock(layer, feeds, masks, trail);
        if (trail) trail.keep(layer, { hidden, kept });
        else hidden.dispose();
        return output;
      },
    });
  }

  /**
   * The gradients of one layer's adapters, summed over runs into `sums` (by program input, in the layout of `Adapter`), and the gradients with respect to the states that
   * enter it. `outputGradients` and what the trail holds stay the caller's; the result is the caller's.
   */
  async backward(
    layer: number,
    trail: readonly RunTrail[],
    outputGradients: readonly DeviceTensor[],
    dropout: ((run: number) => DropoutState | undefined) | undefined,
    sums: ReadonlyMap<string, Float32Array>,
    signal?: AbortSignal,
  ): Promise<DeviceTensor[]> {
    const adapters = this.#adapters(layer);
    const gradients: DeviceTensor[] = [];
    using weights = await this.store.lease(layer);
    using adapted = this.#lease(adapters);
    try {
      for (const [run, { hidden, kept }] of trail.entries()) {
        throwIfCancelled(signal);
        const outputGradient = outputGradients[run];
        if (!outputGradient) throw new MismatchError(`Run ${run} of layer ${layer} has states and no gradient.`);
        using drawn = owned(kept ? {} : this.#masks(layer, adapters, hidden, dropout?.(run)));
        const masks = kept?.masks ?? drawn.tensors;
        const session = await this.#programsFor(layer, masks).backward(kept !== undefined);
        const feeds = {
          ...weights.tensors,
          ...adapted.tensors,
          ...this.#shared(layer, adapters, hidden),
          ...masks,
          ...kept?.values,
          hidden,
          outputGradient,
        };
        const { 'gradient/hidden': entering, ...outputs } = await session.run(feedsOf(session, feeds));
        using results = owned(outputs);
        if (entering) gradients.push(entering);
        for (const [weight, adapter] of adapters) {
          const { down, up } = adapterInputs(weight);
          const read = async (input: string) =>
            (await this.programs.runtime.read(singleOutput(results.tensors, gradientOf(input)))).data as Float32Array;
          add(sums.get(down), await read(down));
          add(sums.get(up), transpose(await read(up), adapter.rank));
          if (!adapter.steps) continue;
          const { change } = stepInputs(weight);
          add(sums.get(change), stepGradient(adapter.steps, timesMembers(await read(change), adapter)));
        }
      }
      return gradients;
    } catch (error) {
      for (const gradient of gradients) gradient.dispose();
      throw error;
    }
  }

  dispose(): void {
    for (const pool of this.#pools.values()) pool.dispose();
    this.#pools.clear();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Runs a block and takes over its masks: they are kept with the activations, or freed. */
  async #runBlock(
    layer: number,
    feeds: Tensors,
    masks: Tensors,
    trail: ActivationTrail | undefined,
  ): Promise<{ readonly output: DeviceTensor } & Pick<RunTrail, 'kept'>> {
    const programs = this.#programsFor(layer, masks);
    let kept: RunTrail['kept'];
    try {
      const shapes = trail && programs.keptShapes(feeds);
      const bytes = shapes
        ? bytesOf(shapes) + Object.values(masks).reduce((sum, { byteLength }) => sum + byteLength, 0)
        : 0;
      const keeps = trail?.spend(bytes) ?? false;
      const { output, ...values } = await (await programs.forward(keeps)).run(feeds);
      if (keeps) kept = { values, masks };
      return { output: singleOutput({ ...(output && { output }) }, 'output'), kept };
    } finally {
      if (!kept) owned(masks)[Symbol.dispose]();
    }
  }

  #programsFor(layer: number, masks: Tensors): AdaptedPrograms {
    const { plain, masked } = this.#ofKind(layer);
    return Object.keys(masks).length > 0 ? masked : plain;
  }

  #ofKind(layer: number): AdaptedKind {
    const { architecture } = this.programs;
    const kind = architecture.kind(layer);
    const known = this.#ofKinds.get(kind);
    if (known) return known;
    const made = {
      sites: adapterSites(architecture.block(kind)),
      plain: new AdaptedPrograms(this.programs, { ...this.#graphs, dropout: false }, kind),
      masked: new AdaptedPrograms(this.programs, { ...this.#graphs, dropout: true }, kind),
    };
    this.#ofKinds.set(kind, made);
    return made;
  }

  #adapters(layer: number): LayerAdapters {
    return this.layers[layer] ?? new Map<string, Adapter>();
  }

  /** A and B of a layer, and its trained steps, on the device. */
  #lease(adapters: LayerAdapters) {
    const { runtime } = this.programs;
    const tensors: Record<string, DeviceTensor> = {};
    for (const [weight, adapter] of adapters) {
      const { rank, inputs, outputs, groupSize, down, up, steps } = adapter;
      const names = adapterInputs(weight);
      tensors[names.down] = runtime.upload({
        dataType: 'float32',
        shape: [rank, Math.ceil(inputs / groupSize)],
        data: down,
      });
      tensors[names.up] = runtime.upload({
        dataType: 'float32',
        shape: [rank, outputs],
        data: transpose(up, outputs),
      });
      const shape = [outputs, groupsOf(inputs, groupSize)];
      const grouped = (values: ArrayLike<number>) =>
        runtime.upload({ dataType: 'float32', shape, data: timesMembers(values, adapter) });
      if (!steps) continue;
      const { change, minima } = stepInputs(weight);
      tensors[change] = grouped(stepFactors(steps).map((factor) => factor - 1));
      tensors[minima] = grouped(steps.minima);
    }
    return owned(tensors);
  }

  /** What blocks read beside weights, adapters and masks: positions and pooling matrices. They stay with their owners. */
  #shared(layer: number, adapters: LayerAdapters, hidden: DeviceTensor): Tensors {
    const shared = this.programs.shared(hidden.shape[1] ?? 0, layer);
    if (this.#groupSize === 1) return shared;
    const pools = this.#ofKind(layer).sites.map(
      (site) => [siteInputs(site).pool, this.#pool(adapters.get(site.weight)?.inputs ?? 0)] as const,
    );
    return { ...shared, ...Object.fromEntries(pools) };
  }

  /** Dropout masks of a run, the caller's; none without dropout. */
  #masks(layer: number, adapters: LayerAdapters, hidden: DeviceTensor, dropout: DropoutState | undefined): Tensors {
    const [windows = 0, tokens = 0] = hidden.shape;
    if (!dropout) return {};
    const masks = this.#ofKind(layer).sites.map((site) => {
      const shape = [windows, tokens, Math.ceil((adapters.get(site.weight)?.inputs ?? 0) / this.#groupSize)];
      const seed = mixSeeds(dropout.seed, 'dropout', dropout.step, dropout.run, layer, site.weight);
      const size = shape.reduce((product, length) => product * length, 1);
      const data = dropoutMask(size, dropout.share, seed);
      return [siteInputs(site).mask, this.programs.runtime.upload({ dataType: 'float32', shape, data })] as const;
    });
    return Object.fromEntries(masks);
  }

  #pool(inputs: number): DeviceTensor {
    const known = this.#pools.get(inputs);
    if (known) return known;
    const shape = [Math.ceil(inputs / this.#groupSize), inputs];
    const pool = this.programs.runtime.upload({
      dataType: 'float32',
      shape,
      data: poolingMatrix(inputs, this.#groupSize),
    });
    this.#pools.set(inputs, pool);
    return pool;
  }
}

/** The weights of a block and of its adapters together. */
class AdaptedWeights extends DeviceWeights {
  readonly #parts: readonly Disposable[];
  constructor(weights: DeviceWeights, adapters: Disposable & { readonly tensors: Tensors }) {
    super({ ...weights.tensors, ...adapters.tensors });
    this.#parts = [adapters, weights];
  }
  override dispose(): void {
    for (const part of this.#parts) part[Symbol.dispose]();
  }
}

/** What the program reads: with kept activations it does without some of them. */
function feedsOf({ inputNames }: Session, tensors: Tensors): Tensors {
  return Object.fromEntries(inputNames.map((name) => [name, singleOutput(tensors, name)]));
}

function bytesOf(shapes: ReadonlyMap<string, readonly number[]>): number {
  let bytes = 0;
  for (const shape of shapes.values())
    bytes += shape.reduce((product, size) => product * size, Float32Array.BYTES_PER_ELEMENT);
  return bytes;
}

/** Values [outputs, groups] times the members of their groups. */
function timesMembers(values: ArrayLike<number>, { inputs, groupSize }: Adapter): Float32Array {
  const groups = groupsOf(inputs, groupSize);
  return Float32Array.from(values, (value, index) => value * groupMembers(inputs, groupSize, index % groups));
}

function add(sum: Float32Array | undefined, part: Float32Array): void {
  if (sum?.length !== part.length)
    throw new MismatchError(`A gradient has ${part.length} values and its sum ${sum?.length ?? 0}.`);
  for (let index = 0; index < part.length; index++) sum[index] = (sum[index] as number) + (part[index] as number);
}

function owned(tensors: Tensors) {
  return {
    tensors,
    [Symbol.dispose]: () => {
      for (const tensor of Object.values(tensors)) tensor.dispose();
    },
  };
}
