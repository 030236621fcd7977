import type { ModelConfig } from '../architecture/architecture.ts';
import { ASSIGNMENT, isPrunable, isRemovedLayer, mixerOf } from '../architecture/block-weights.ts';
import { type Model, modelOf } from '../architecture/model.ts';
import { Programs, traceBindings } from '../architecture/programs.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import { elementCount } from '../arrays.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { loadTokenizer, type Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { discover } from '../importance/structures/discovery.ts';
import type { CoupledStructure, LayerGroups } from '../importance/structures/structures.ts';
import type { LayerPlan } from '../plan/plan.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { slicedCheckpoint } from '../surgery/slice.ts';

/** Weights up to this size stay on the device between runs; larger models are streamed layer by layer. */
const RESIDENT_BYTES = 256 << 20;

/** How a model is put on a runtime. */
export interface OpenOptions {
  /** Weights up to this size stay on the device between runs. Default 256 MiB. */
  readonly residentBytes?: number;
  /** Leave out tensors that the architecture does not read, instead of refusing the model. Default false. */
  readonly ignoreTensors?: boolean;
  /** The runtime is disposed with the model. Default false. */
  readonly ownsRuntime?: boolean;
  /** Compiled programs of the same architecture, which stay the caller's. @internal */
  readonly programs?: Programs;
}

/** A model on a runtime: the thing that every verb of the library works on. Dispose it to free the device; the runtime stays the caller's unless `ownsRuntime`. */
export class OpenModel implements Disposable {
  /** Where it computes. */
  readonly runtime: Runtime;
  /** @internal */
  readonly model: Model;
  /** @internal */
  readonly programs: Programs;
  /** @internal */
  readonly store: WeightStore;
  readonly #ownsPrograms: boolean;
  readonly #options: OpenOptions;
  readonly #structures = new Map<string, readonly CoupledStructure[]>();
  #tokenizer: Promise<Tokenizer> | undefined;

  /**
   * Checks the checkpoint against its architecture. `openModel` also starts a runtime and finds the checkpoint. Throws UnsupportedError for an architecture or a setting
   * that is not supported, MissingError and MismatchError for tensors that lack or do not fit.
   */
  constructor(runtime: Runtime, checkpoint: Checkpoint, options: OpenOptions = {}) {
    this.runtime = runtime;
    this.model = modelOf(checkpoint, options);
    this.#ownsPrograms = options.programs === undefined;
    this.programs = options.programs ?? new Programs(runtime, this.model.architecture);
    this.store = new WeightStore(runtime, this.model, options.residentBytes ?? RESIDENT_BYTES);
    this.#options = options;
  }

  /** Its sizes. */
  get config(): ModelConfig {
    return this.model.architecture.config;
  }

  /** The model at rest: its tensors, its config, where it came from. */
  get checkpoint(): Checkpoint {
    return this.model.checkpoint;
  }

  /** Tokens that it knows. */
  get vocabulary(): number {
    return this.config.vocabulary;
  }

  /** Tokens that a sequence may have, prompt included. */
  get maximumPositions(): number {
    return this.config.maximumPositions;
  }

  /** Coupled structures of a layer at its own widths, traced from the block graph (docs/method.md section 1). @internal */
  structuresOf = (layer: number): readonly CoupledStructure[] => {
    const { config } = this;
    const { architecture } = this.model;
    const widths = config.layerWidths[layer] ?? config;
    const kind = architecture.kind(layer);
    const key = `${kind}:${JSON.stringify(widths)}`;
    const known = this.#structures.get(key);
    if (known) return known;
    const bindings = traceBindings(architecture, widths);
    const inputs = architecture.blockWeights(layer).map(({ input }) => input);
    const weights = inputs.filter(isPrunable);
    const tables = inputs.filter((input) => input === ASSIGNMENT);
    const structures = isRemovedLayer(widths)
      ? []
      : discover(architecture.block(kind), weights, bindings, tables).structures;
    this.#structures.set(key, structures);
    return structures;
  };

  /** Group counts of every layer, as planning needs them. */
  layerGroups(): LayerGroups[] {
    return this.config.layerWidths.map((_, layer) => {
      const find = (kind: CoupledStructure['kind']) => {
        const structure = this.structuresOf(layer).find((candidate) => candidate.kind === kind);
        return { groups: structure?.groups ?? 0, parametersPerGroup: structure?.parametersPerGroup ?? 0 };
      };
      return {
        attention: find('attention'),
        ...(mixerOf(this.model.architecture.kind(layer)) === 'convolution' && { convolution: find('convolution') }),
        mlp: { ...find('mlp'), ...this.#experts(layer) },
        ...this.#beside(layer),
      };
    });
  }

  #beside(layer: number): Pick<LayerGroups, 'beside'> {
    if (!this.config.layerWidths[layer]?.recurrent) return {};
    const staying = this.model.architecture.blockWeights(layer).filter(({ input }) => !isPrunable(input));
    return { beside: staying.reduce((sum, { shape }) => sum + elementCount(shape), 0) };
  }

  #experts(layer: number): Pick<LayerGroups['mlp'], 'experts' | 'perToken'> {
    const experts = this.config.layerWidths[layer]?.experts;
    const { design } = this.model.architecture;
    return experts && design.experts && experts.length > 0 ? { experts, perToken: design.experts.perToken } : {};
  }

  /** The tokenizer that belongs to the model. Throws MissingError where it has none. */
  tokenizer(): Promise<Tokenizer> {
    this.#tokenizer ??= loadTokenizer(this.model.checkpoint);
    return this.#tokenizer;
  }

  /** The model with only the planned groups, on the same compiled programs. Owned by the caller. */
  pruned(layers: readonly LayerPlan[]): OpenModel {
    return this.withCheckpoint(slicedCheckpoint(this.model.checkpoint, layers, this.structuresOf));
  }

  /** Another checkpoint of the same dense architecture on the same compiled programs. Owned by the caller. */
  withCheckpoint(checkpoint: Checkpoint): OpenModel {
    return new OpenModel(this.runtime, checkpoint, {
      ...this.#options,
      ownsRuntime: false,
      programs: this.programs,
    });
  }

  /** Frees what the model holds on the device, and its runtime where that is its own. */
  dispose(): void {
    this.store.dispose();
    if (this.#ownsPrograms) this.programs.dispose();
    if (this.#options.ownsRuntime) this.runtime.dispose();
  }
  /** The same, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
