import { exampleBindings, only, type Programs } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { readWeights, uploadWeights } from '../architecture/weights.ts';
import { MismatchError, throwIfCancelled } from '../errors.ts';
import { gradientOf } from '../passes/differentiate.ts';
import type { LongRunning } from '../progress.ts';
import type { DeviceTensor, Runtime } from '../runtime/runtime.ts';
import { type ElementEngine, elementStage } from './element-stage.ts';
import { type LayerScores, LayerSums } from './layer-sums.ts';
import { linearMembers, scoreGraph } from './score-graph.ts';
import type { LayerPartial } from './shards.ts';
import type { CoupledStructure } from './structures.ts';

interface ScoreLayerOptions extends LongRunning {
  readonly structures: readonly CoupledStructure[];
  readonly elements?: boolean;
  readonly elementEngine?: ElementEngine | undefined;
  /** Told how many windows a batch had. */
  readonly onWindows: (windows: number) => void;
  /** Kinds of sums to return as well: `sumsFor`. */
  readonly partial?: ReadonlySet<string> | undefined;
}

/**
 * Scores one layer from batches of windows: the states [windows, tokens, hiddenSize] that enter it and the gradients that leave it.
 * Returns the scores, the sums that they follow from where those are wanted, and the gradients with respect to the entering states (owned by the caller).
 */
export async function scoreLayer(
  programs: Programs,
  store: WeightStore,
  layer: number,
  states: readonly DeviceTensor[],
  outputGradients: readonly DeviceTensor[],
  options: ScoreLayerOptions,
): Promise<{ readonly scores: LayerScores; readonly partial: LayerPartial | undefined; readonly gradients: DeviceTensor[] }> {
  const { structures } = options;
  const elements = options.elements ?? true;
  const block = programs.architecture.block();
  const members = linearMembers(block, structures);
  const session = await programs.session(elements ? 'score' : 'score without elements', () =>
    scoreGraph(block, members, exampleBindings(programs.architecture), elements),
  );
  const hostWeights = await readWeights(store.model.checkpoint, store.model.architecture.blockWeights(layer));
  using weights = uploadWeights(programs.runtime, hostWeights);
  using stage = elements ? elementStage(programs, members, weights, options.elementEngine) : undefined;
  const sums = new LayerSums(structures, members);
  const gradients: DeviceTensor[] = [];
  try {
    for (const [index, hidden] of states.entries()) {
      throwIfCancelled(options.signal);
      const outputGradient = outputGradients[index];
      if (!outputGradient) throw new MismatchError(`Batch ${index} of layer ${layer} has states and no gradient.`);
      const [windows = 0, tokens = 0] = hidden.shape;
      const { cosine, sine, mask } = programs.positions(tokens, layer);
      const outputs = await session.run({ ...weights.tensors, hidden, cosine, sine, mask, outputGradient });
      try {
        gradients.push(take(outputs, 'gradient/hidden'));
        const channels = await readMatching(programs.runtime, outputs, /^(signed|sum|squares)\//);
        const linear = new Map(members.map((member) => [member.weight, member]));
        const absolute = await stage?.add({
          windows,
          tokens,
          input: (weight) => only(outputs, linear.get(weight)?.input ?? ''),
          outputGradient: (weight) => only(outputs, gradientOf(linear.get(weight)?.output ?? '')),
        });
        sums.add(windows, tokens, channels, absolute);
      } finally {
        for (const tensor of Object.values(outputs)) tensor.dispose();
      }
      options.onWindows(windows);
    }
    const weightOf = (weight: string) => hostWeights[weight];
    const totals = await stage?.finish(sums.windows);
    const raw = async (order: 'first' | 'second') => (options.partial?.has(order) ? await stage?.sums(order) : undefined);
    const partial = options.partial && sums.partial(options.partial, weightOf, totals, { first: await raw('first'), second: await raw('second') });
    return { scores: sums.scores(weightOf, totals), partial, gradients };
  } catch (error) {
    for (const gradient of gradients) gradient.dispose();
    throw error;
  }
}

/** Removes a tensor from a run's outputs: it is the caller's to keep. */
function take(outputs: Record<string, DeviceTensor>, name: string): DeviceTensor {
  const tensor = only(outputs, name);
  delete outputs[name];
  return tensor;
}

async function readMatching(runtime: Runtime, outputs: Record<string, DeviceTensor>, pattern: RegExp): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  for (const [name, tensor] of Object.entries(outputs)) {
    if (pattern.test(name)) found.set(name, (await runtime.read(tensor)).data as Float32Array);
  }
  return found;
}
