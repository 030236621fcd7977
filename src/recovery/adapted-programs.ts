import type { LayerKind } from '../architecture/architecture.ts';
import { exampleBindings, type Programs, programName } from '../architecture/programs.ts';
import { inferShapes, typeOf } from '../passes/infer-shapes.ts';
import type { Session } from '../runtime/runtime.ts';
import type { Tensors } from './activation-trail.ts';
import { type AdapterGraphOptions, adaptedBlock, adaptedGradient, adaptedSizes } from './adapted-block.ts';
import { boundSizes, type KeptGraphs, keptGraphs } from './kept-activations.ts';

/** The sessions of adapted blocks, forward and back, with or without kept activations. Compiled at first use, kept by the programs, good for every layer and width. */
export class AdaptedPrograms {
  readonly #programs: Programs;
  readonly #options: AdapterGraphOptions;
  readonly #kind: LayerKind;
  #graphs: KeptGraphs | undefined;

  /** Of the layers of one kind. */
  constructor(programs: Programs, options: AdapterGraphOptions, kind: LayerKind) {
    this.#programs = programs;
    this.#options = options;
    this.#kind = kind;
  }

  /** The block; with `keeps` it gives out beside its output what `backward(true)` reads. */
  forward(keeps: boolean): Promise<Session> {
    return this.#session('forward', keeps, () =>
      keeps ? this.#kept().block : adaptedBlock(this.#block(), this.#options),
    );
  }

  /** The gradients of states and adapters; recomputes the block, or with `keeps` reads what `forward(true)` gave. */
  backward(keeps: boolean): Promise<Session> {
    return this.#session('backward', keeps, () => (keeps ? this.#kept().gradient : this.#gradient()));
  }

  /** Names and shapes of what `forward(true)` gives out beside its output when it runs on these tensors. */
  keptShapes(feeds: Tensors): Map<string, readonly number[]> {
    const { block, values } = this.#kept();
    const types = inferShapes(block, boundSizes(block, feeds));
    return new Map(values.map((name) => [name, typeOf(types, name).shape]));
  }

  #session(direction: string, keeps: boolean, emit: Parameters<Programs['session']>[1]): Promise<Session> {
    const { strength, pooled, dropout, steps } = this.#options;
    const name = `adapted ${direction}${keeps ? ' with kept activations' : ''}, strength ${strength}${pooled ? ', pooled' : ''}${dropout ? ', dropout' : ''}${steps ? ', steps' : ''}`;
    return this.#programs.session(programName(name, this.#kind), emit);
  }

  #block() {
    return this.#programs.architecture.block(this.#kind);
  }

  #gradient() {
    return adaptedGradient(this.#block(), this.#options, exampleBindings(this.#programs.architecture));
  }

  #kept(): KeptGraphs {
    const { architecture } = this.#programs;
    const block = this.#block();
    this.#graphs ??= keptGraphs(
      adaptedBlock(block, this.#options),
      this.#gradient(),
      adaptedSizes(block, exampleBindings(architecture)),
    );
    return this.#graphs;
  }
}
