import { isRemoved } from '../../architecture/forward.ts';
import { exampleBindings, only, type Programs } from '../../architecture/programs.ts';
import type { WeightStore } from '../../architecture/weight-store.ts';
import { MismatchError, throwIfCancelled } from '../../errors.ts';
import { gradientOf } from '../../passes/differentiate.ts';
import type { DeviceTensor } from '../../runtime/runtime.ts';
import { adaptedBlock, adaptedGradient, adapterInputs, adapterSites, siteInputs } from './adapted-block.ts';
import type { Adapter } from './adapter.ts';
import { poolingMatrix } from './adapter.ts';
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

/**
 * A model whose weights stay fixed, with adapters on its linear layers. Blocks run by one forward and one backward session for all layers and widths
 * (docs/architecture.md section 1.3); the backward one recomputes the block, so that only the inputs of blocks are kept.
 */
export class AdaptedModel implements Disposable {
  readonly programs: Programs;
  readonly store: WeightStore;
  readonly layers: readonly LayerAdapters[];
  readonly #strength: number;
  readonly #groupSize: number;
  readonly #pools = new Map<number, DeviceTensor>();
  readonly #sites;

  constructor(programs: Programs, store: WeightStore, layers: readonly LayerAdapters[]) {
    this.programs = programs;
    this.store = store;
    this.layers = layers;
    const [first] = layers.flatMap((adapters) => [...adapters.values()]);
    if (!first) throw new MismatchError('There are no adapters: every block of the model was removed.');
    this.#strength = first.strength;
    this.#groupSize = first.groupSize;
    this.#sites = adapterSites(programs.architecture.block());
  }

  /**
   * Runs a batch from its embedding through all blocks. `onLayer` may keep the states that enter a layer (return true), else they are freed.
   * Returns the states [windows, tokens, hiddenSize] after the last block, owned by the caller.
   */
  async forward(
    states: readonly DeviceTensor[],
    dropout: ((run: number) => DropoutState | undefined) | undefined,
    options: { readonly signal?: AbortSignal | undefined; readonly onLayer?: (layer: number, states: readonly DeviceTensor[]) => boolean } = {},
  ): Promise<DeviceTensor[]> {
    let current = [...states];
    try {
      for (const [layer, adapters] of this.layers.entries()) {
        if (isRemoved(this.store, layer)) continue;
        const keep = options.onLayer?.(layer, current) ?? false;
        const entering = current;
        current = keep ? [] : [...entering];
        using weights = await this.store.lease(layer);
        using adapted = this.#lease(adapters);
        for (const [run, hidden] of entering.entries()) {
          throwIfCancelled(options.signal);
          const state = dropout?.(run);
          const session = await this.#session('forward', state !== undefined);
          using given = this.#given(layer, adapters, hidden, state);
          const output = only(await session.run({ ...weights.tensors, ...adapted.tensors, ...given.tensors, hidden }), 'output');
          if (!keep) hidden.dispose();
          current[run] = output;
        }
      }
      return current;
    } catch (error) {
      for (const state of current) state.dispose();
      throw error;
    }
  }

  /**
   * The gradients of one layer's adapters, summed over runs into `sums` (by program input), and the gradients with respect to the states that enter it.
   * `outputGradients` stay the caller's; the result is the caller's.
   */
  async backward(
    layer: number,
    states: readonly DeviceTensor[],
    outputGradients: readonly DeviceTensor[],
    dropout: ((run: number) => DropoutState | undefined) | undefined,
    sums: ReadonlyMap<string, Float32Array>,
    signal?: AbortSignal,
  ): Promise<DeviceTensor[]> {
    const adapters = this.layers[layer] ?? new Map<string, Adapter>();
    const gradients: DeviceTensor[] = [];
    using weights = await this.store.lease(layer);
    using adapted = this.#lease(adapters);
    try {
      for (const [run, hidden] of states.entries()) {
        throwIfCancelled(signal);
        const state = dropout?.(run);
        const session = await this.#session('backward', state !== undefined);
        using given = this.#given(layer, adapters, hidden, state);
        const outputGradient = outputGradients[run];
        if (!outputGradient) throw new MismatchError(`Run ${run} of layer ${layer} has states and no gradient.`);
        const { 'gradient/hidden': entering, ...outputs } = await session.run({
          ...weights.tensors,
          ...adapted.tensors,
          ...given.tensors,
          hidden,
          outputGradient,
        });
        if (entering) gradients.push(entering);
        try {
          for (const [input, sum] of sums) {
            const part = (await this.programs.runtime.read(only(outputs, gradientOf(input)))).data as Float32Array;
            for (let index = 0; index < sum.length; index++) sum[index] = (sum[index] as number) + (part[index] as number);
          }
        } finally {
          for (const tensor of Object.values(outputs)) tensor.dispose();
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

  #session(direction: 'forward' | 'backward', dropout: boolean) {
    const { architecture } = this.programs;
    const pooled = this.#groupSize > 1;
    const options = { strength: this.#strength, pooled, dropout };
    const name = `adapted ${direction}, strength ${this.#strength}${pooled ? ', pooled' : ''}${dropout ? ', dropout' : ''}`;
    return this.programs.session(name, () =>
      direction === 'forward' ? adaptedBlock(architecture.block(), options) : adaptedGradient(architecture.block(), options, exampleBindings(architecture)),
    );
  }

  /** A and B of a layer on the device. */
  #lease(adapters: LayerAdapters) {
    const { runtime } = this.programs;
    const tensors: Record<string, DeviceTensor> = {};
    for (const [weight, { rank, inputs, outputs, groupSize, down, up }] of adapters) {
      const names = adapterInputs(weight);
      tensors[names.down] = runtime.upload({ dataType: 'float32', shape: [rank, Math.ceil(inputs / groupSize)], data: down });
      tensors[names.up] = runtime.upload({ dataType: 'float32', shape: [outputs, rank], data: up });
    }
    return owned(tensors);
  }

  /** Tables, mask, pooling and dropout of one run; disposing frees what is not shared. */
  #given(layer: number, adapters: LayerAdapters, hidden: DeviceTensor, dropout: DropoutState | undefined) {
    const [windows = 0, tokens = 0] = hidden.shape;
    const { cosine, sine, mask } = this.programs.positions(tokens, layer);
    const shared: Record<string, DeviceTensor> = { cosine, sine, mask };
    const own: Record<string, DeviceTensor> = {};
    for (const site of this.#sites) {
      const inputs = adapters.get(site.weight)?.inputs ?? 0;
      const names = siteInputs(site);
      if (this.#groupSize > 1) shared[names.pool] = this.#pool(inputs);
      if (!dropout) continue;
      const shape = [windows, tokens, Math.ceil(inputs / this.#groupSize)];
      const seed = mixSeeds(dropout.seed, 'dropout', dropout.step, dropout.run, layer, site.weight);
      const data = dropoutMask(
        shape.reduce((product, size) => product * size, 1),
        dropout.share,
        seed,
      );
      own[names.mask] = this.programs.runtime.upload({ dataType: 'float32', shape, data });
    }
    const { [Symbol.dispose]: free } = owned(own);
    return { tensors: { ...shared, ...own }, [Symbol.dispose]: free };
  }

  #pool(inputs: number): DeviceTensor {
    const known = this.#pools.get(inputs);
    if (known) return known;
    const shape = [Math.ceil(inputs / this.#groupSize), inputs];
    const pool = this.programs.runtime.upload({ dataType: 'float32', shape, data: poolingMatrix(inputs, this.#groupSize) });
    this.#pools.set(inputs, pool);
    return pool;
  }
}

function owned(tensors: Readonly<Record<string, DeviceTensor>>) {
  return {
    tensors,
    [Symbol.dispose]: () => {
      for (const tensor of Object.values(tensors)) tensor.dispose();
    },
  };
}
