import { exampleBindings, type Programs } from '../../architecture/programs.ts';
import type { Graph } from '../../onnx/graph.ts';
import type { Session } from '../../runtime/runtime.ts';
import { type LinearMember, linearMembers } from '../structures/linear-members.ts';
import type { CoupledStructure } from '../structures/structures.ts';
import { keptGraphs, scoreGraph } from './score-graph.ts';

/** The sessions that score blocks, with or without element metrics. Compiled at first use, kept by the programs, good for every layer and width. */
export class ScorePrograms {
  readonly elements: boolean;
  readonly members: readonly LinearMember[];
  readonly #programs: Programs;
  readonly #block: Graph;
  #kept: ReturnType<typeof keptGraphs> | undefined;

  /** `structures` of any layer: members do not depend on widths. */
  constructor(programs: Programs, structures: readonly CoupledStructure[], elements: boolean) {
    this.#programs = programs;
    this.elements = elements;
    this.#block = programs.architecture.block();
    this.members = linearMembers(this.#block, structures);
  }

  /** Differentiates a block; recomputes it, or with `keeps` reads the outputs of linear layers that `keepingBlock` gave. */
  score(keeps: boolean): Promise<Session> {
    const name = `score${this.elements ? '' : ' without elements'}${keeps ? ' from kept activations' : ''}`;
    return this.#programs.session(name, () => (keeps ? this.#keptGraphs().score : this.#scoreGraph()));
  }

  /** The block, with the outputs of linear layers that `score(true)` reads. */
  keepingBlock(): Promise<Session> {
    return this.#programs.session(
      `block that keeps activations${this.elements ? '' : ' without elements'}`,
      () => this.#keptGraphs().block,
    );
  }

  /** Floats per token that keeping takes, for a layer of these weight shapes. */
  keptWidth(shapeOf: (weight: string) => readonly number[]): number {
    const kept = new Set(this.#keptGraphs().values);
    const gemms = this.#block.nodes.filter(({ outputs }) => kept.has(outputs[0] ?? ''));
    return gemms.reduce((sum, { inputs }) => sum + (shapeOf(inputs[1] ?? '')[0] ?? 0), 0);
  }

  #scoreGraph(): Graph {
    return scoreGraph(this.#block, this.members, exampleBindings(this.#programs.architecture), this.elements);
  }

  #keptGraphs(): ReturnType<typeof keptGraphs> {
    this.#kept ??= keptGraphs(this.#block, this.#scoreGraph());
    return this.#kept;
  }
}
