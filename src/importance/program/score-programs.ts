import type { LayerKind } from '../../architecture/architecture.ts';
import { exampleBindings, type Programs, programName } from '../../architecture/programs.ts';
import type { Graph } from '../../onnx/graph.ts';
import type { Session } from '../../runtime/runtime.ts';
import { type ChannelMember, channelMembers } from '../structures/channel-members.ts';
import { type LinearMember, linearMembers } from '../structures/linear-members.ts';
import type { CoupledStructure } from '../structures/structures.ts';
import type { Need } from '../sums/sum-table.ts';
import { scaledGradients } from './scaled-gradients.ts';
import { keptGraphs, scoreGraph } from './score-graph.ts';

/** The sessions that score blocks, with the outputs that some metrics need. Compiled at first use, kept by the programs, good for every layer and width. */
export class ScorePrograms {
  readonly needs: ReadonlySet<Need>;
  readonly members: readonly LinearMember[];
  readonly channels: readonly ChannelMember[];
  readonly #programs: Programs;
  readonly #kind: LayerKind;
  readonly #block: Graph;
  #kept: ReturnType<typeof keptGraphs> | undefined;

  /** `structures` of any layer of this kind: members do not depend on widths. */
  constructor(
    programs: Programs,
    structures: readonly CoupledStructure[],
    needs: ReadonlySet<Need>,
    kind: LayerKind = 'attention',
  ) {
    this.#programs = programs;
    this.#kind = kind;
    this.needs = needs;
    this.#block = programs.architecture.block(kind);
    this.members = linearMembers(this.#block, structures);
    this.channels = channelMembers(this.#block, structures, this.members);
  }

  /** Differentiates a block; recomputes it, or with `keeps` reads the outputs of linear layers that `keepingBlock` gave. */
  score(keeps: boolean): Promise<Session> {
    return this.#programs.session(this.#name(keeps ? 'score from kept activations' : 'score'), () =>
      this.#inPrecision(keeps ? this.#keptGraphs().score : this.#scoreGraph()),
    );
  }

  /** The block, with the outputs of linear layers that `score(true)` reads. */
  keepingBlock(): Promise<Session> {
    return this.#programs.session(this.#name('block that keeps activations'), () =>
      this.#programs.inPrecision(this.#keptGraphs().block),
    );
  }

  /** Floats per token that keeping takes, for a layer of these weight shapes. */
  keptWidth(shapeOf: (weight: string) => readonly number[]): number {
    const kept = new Set(this.#keptGraphs().values);
    const gemms = this.#block.nodes.filter(({ outputs }) => kept.has(outputs[0] ?? ''));
    return gemms.reduce((sum, { inputs }) => sum + (shapeOf(inputs[1] ?? '')[0] ?? 0), 0);
  }

  #inPrecision(graph: Graph): Graph {
    const { precision } = this.#programs;
    return precision === 'f32' ? graph : this.#programs.inPrecision(scaledGradients(graph));
  }

  #name(program: string): string {
    return programName(`${program} for ${[...this.needs].sort().join(', ')}`, this.#kind);
  }

  #scoreGraph(): Graph {
    return scoreGraph(
      this.#block,
      this.members,
      exampleBindings(this.#programs.architecture),
      this.needs,
      this.channels,
    );
  }

  #keptGraphs(): ReturnType<typeof keptGraphs> {
    this.#kept ??= keptGraphs(this.#block, this.#scoreGraph());
    return this.#kept;
  }
}
