import { isRemovedLayer, widthBindings } from '../architecture/block-weights.ts';
import { type Model, modelOf } from '../architecture/model.ts';
import { exampleBindings, Programs } from '../architecture/programs.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { loadTokenizer, type Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { discover } from '../importance/structures/discovery.ts';
import type { CoupledStructure, LayerGroups } from '../importance/structures/structures.ts';
import type { LayerPlan } from '../plan/plan.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { slicedCheckpoint } from '../surgery/slice.ts';

/** Weights up to this size stay on the device between runs; larger models are streamed layer by layer. */
const RESIDENT_BYTES = 256 << 20;

export interface OpenOptions {
  /** Default 256 MiB. */
  readonly residentBytes?: number;
  /** Leave out tensors that the architecture does not read, instead of refusing the model. Default false. */
  readonly ignoreTensors?: boolean;
  /** The runtime is disposed with the model. Default false. */
  readonly ownsRuntime?: boolean;
}

/** A model on a runtime: the thing that every verb of the library works on. Dispose it to free the device; the runtime stays the caller's unless `ownsRuntime`. */
export class OpenModel implements Disposable {
  readonly runtime: Runtime;
  readonly model: Model;
  readonly programs: Programs;
  readonly store: WeightStore;
  readonly #ownsPrograms: boolean;
  readonly #options: OpenOptions;
  readonly #structures = new Map<string, readonly CoupledStructure[]>();
  #tokenizer: Promise<Tokenizer> | undefined;

  /** Checks the checkpoint against its architecture. Throws what `modelOf` throws. */
  constructor(runtime: Runtime, checkpoint: Checkpoint, options: OpenOptions = {}, programs?: Programs) {
    this.runtime = runtime;
    this.model = modelOf(checkpoint, options);
    this.#ownsPrograms = programs === undefined;
    this.programs = programs ?? new Programs(runtime, this.model.architecture);
    this.store = new WeightStore(runtime, this.model, options.residentBytes ?? RESIDENT_BYTES);
    this.#options = options;
  }

  get config() {
    return this.model.architecture.config;
  }

  get vocabulary(): number {
    return this.config.vocabulary;
  }

  get maximumPositions(): number {
    return this.config.maximumPositions;
  }

  /** Coupled structures of a layer at its own widths, traced from the block graph (docs/method.md section 1). */
  structuresOf = (layer: number): readonly CoupledStructure[] => {
    const { config } = this;
    const { architecture } = this.model;
    const widths = config.layerWidths[layer] ?? config;
    const kind = architecture.kind(layer);
    const key = `${kind}:${JSON.stringify(widths)}`;
    const known = this.#structures.get(key);
    if (known) return known;
    const bindings = { ...exampleBindings(architecture), ...widthBindings(config, widths) };
    const weights = architecture.blockWeights(layer).map(({ input }) => input);
    const structures = isRemovedLayer(widths) ? [] : discover(architecture.block(kind), weights, bindings).structures;
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
        ...(this.model.architecture.kind(layer) === 'convolution' && { convolution: find('convolution') }),
        mlp: find('mlp'),
      };
    });
  }

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
    return new OpenModel(this.runtime, checkpoint, { ...this.#options, ownsRuntime: false }, this.programs);
  }

  dispose(): void {
    this.store.dispose();
    if (this.#ownsPrograms) this.programs.dispose();
    if (this.#options.ownsRuntime) this.runtime.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
