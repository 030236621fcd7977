import { batchesOf } from '../../architecture/batches.ts';
import { disposeAll, forwardBlocks, isRemoved } from '../../architecture/forward.ts';
import { exampleBindings, type Programs, programName, singleOutput } from '../../architecture/programs.ts';
import type { WeightStore } from '../../architecture/weight-store.ts';
import { MismatchError, throwIfCancelled } from '../../errors.ts';
import { checkWindows } from '../../evaluate/token-windows.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph } from '../../onnx/graph.ts';
import { differentiate, gradientOf } from '../../passes/differentiate.ts';
import type { LongRunning } from '../../progress.ts';
import type { DeviceTensor } from '../../runtime/runtime.ts';
import { type LinearMember, linearMembers } from '../structures/linear-members.ts';
import type { CoupledStructure } from '../structures/structures.ts';
import type { Objective } from './objective.ts';
import { OwnedTensors } from './owned-tensors.ts';
import { headGradients } from './score-head.ts';

/** Sums over tokens of an output projection Y = X W^T: `products` x x^T [inputs, inputs] and `gradients` dy dy^T [outputs, outputs]. */
export interface ProjectionFactors {
  readonly projection: LinearMember;
  readonly products: Float64Array;
  readonly gradients: Float64Array;
}

export interface OutputFactorsOptions extends LongRunning {
  readonly objective: Objective;
  readonly structuresOf: (layer: number) => readonly CoupledStructure[];
  /** Takes the factors of each layer that is there, from the last to the first. */
  readonly onLayer: (layer: number, factors: readonly ProjectionFactors[]) => void | Promise<void>;
}

/**
 * The Kronecker factors of the curvature (K-FAC: Martens and Grosse 2015, arXiv 1503.05671) of every projection whose input channels are grouped, o and down: a forward pass, and one backward pass for
 * the gradients of activations alone, layer by layer. Throws CancelledError, and what `checkWindows` throws.
 */
export async function outputFactors(
  programs: Programs,
  store: WeightStore,
  windows: readonly ArrayLike<number>[],
  { objective, structuresOf, onLayer, signal, onProgress }: OutputFactorsOptions,
): Promise<void> {
  const { config } = store.model.architecture;
  checkWindows(windows, config.vocabulary);
  const batches = batchesOf(windows);
  const report = (completed: number) =>
    onProgress?.({ stage: 'curvature', completed, total: config.layers, unit: 'layers' });
  report(0);
  using owned = new OwnedTensors();
  const entering = config.layerWidths.map(() => [] as DeviceTensor[]);
  const last = await forwardBlocks(programs, store, batches, {
    signal,
    run: async (weights, hidden, layer) => {
      const after = await programs.block(weights, hidden, layer);
      entering[layer]?.push(owned.own(hidden));
      return after;
    },
  });
  let gradients: DeviceTensor[] = [];
  try {
    gradients = (await headGradients(programs, store, batches, last, { objective, signal })).batches;
    disposeAll(last);
    for (let layer = config.layers - 1; layer >= 0; layer--) {
      throwIfCancelled(signal);
      if (!isRemoved(store, layer)) {
        const states = entering[layer] ?? [];
        await onLayer(layer, await layerFactors(programs, store, layer, states, gradients, structuresOf(layer)));
        owned.free(states);
      }
      report(config.layers - layer);
    }
  } finally {
    disposeAll(last);
    disposeAll(gradients);
  }
}

/** Factors of one layer; each gradient is replaced by the one with respect to the entering state. */
async function layerFactors(
  programs: Programs,
  store: WeightStore,
  layer: number,
  states: readonly DeviceTensor[],
  gradients: DeviceTensor[],
  structures: readonly CoupledStructure[],
): Promise<ProjectionFactors[]> {
  const kind = programs.architecture.kind(layer);
  const block = programs.architecture.block(kind);
  const projections = linearMembers(block, structures).filter(({ axis }) => axis === 1);
  const session = await programs.session(programName('output factors', kind), () =>
    factorGraph(block, projections, exampleBindings(programs.architecture)),
  );
  using weights = await store.lease(layer);
  const sums = new Map<string, Float64Array>();
  for (const [index, outputGradient] of gradients.entries()) {
    // The gradients of several draws are of the same states.
    const hidden = states[index % states.length];
    if (!hidden) throw new MismatchError(`Layer ${layer} has no states.`);
    const shared = programs.shared(hidden.shape[1] ?? 0, layer);
    const feeds: Record<string, DeviceTensor> = { ...weights.tensors, hidden, ...shared, outputGradient };
    const outputs = await session.run(
      Object.fromEntries(session.inputNames.map((name) => [name, singleOutput(feeds, name)])),
    );
    for (const [name, tensor] of Object.entries(outputs)) {
      if (name === 'gradient/hidden') continue;
      using part = tensor;
      add(sums, name, (await programs.runtime.read(part)).data as Float32Array);
    }
    outputGradient.dispose();
    gradients[index] = singleOutput(outputs, 'gradient/hidden');
  }
  const sumOf = (name: string) => sums.get(name) ?? new Float64Array(0);
  return projections.map((projection) => ({
    projection,
    products: sumOf(`products/${projection.weight}`),
    gradients: sumOf(`gradients/${projection.weight}`),
  }));
}

/** Recomputes and differentiates a block. Outputs: `gradient/hidden`, and of every projection `products/<weight>` X^T X and `gradients/<weight>` dY^T dY. */
function factorGraph(
  block: Graph,
  projections: readonly LinearMember[],
  bindings: Readonly<Record<string, number>>,
): Graph {
  const backward = differentiate(block, {
    seeds: { output: 'outputGradient' },
    wrt: ['hidden', ...projections.map(({ output }) => output)],
    taps: projections.map(({ input }) => input),
    bindings,
  });
  const builder = new GraphBuilder('output factors', backward);
  builder.output('gradient/hidden', 'float32', block.inputs.find(({ name }) => name === 'hidden')?.shape ?? []);
  for (const { weight, input, output } of projections)
    for (const [kind, value] of [
      ['products', input],
      ['gradients', gradientOf(output)],
    ] as const) {
      const size = `width of ${value}`;
      builder.output(builder.add('Gemm', [value, value], { transA: 1 }), 'float32', [size, size], `${kind}/${weight}`);
    }
  return builder.build();
}

function add(sums: Map<string, Float64Array>, name: string, part: Float32Array): void {
  const known = sums.get(name);
  if (!known) sums.set(name, Float64Array.from(part));
  else
    for (let index = 0; index < part.length; index++) known[index] = (known[index] as number) + (part[index] as number);
}
