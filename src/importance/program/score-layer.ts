import { only, type Programs } from '../../architecture/programs.ts';
import type { WeightStore } from '../../architecture/weight-store.ts';
import { MismatchError, throwIfCancelled } from '../../errors.ts';
import type { LongRunning } from '../../progress.ts';
import type { DeviceTensor, Runtime, Session } from '../../runtime/runtime.ts';
import type { ElementStages } from '../elements/element-stage.ts';
import type { RunBuffers } from '../elements/run-buffers.ts';
import type { Stopwatch } from '../stopwatch.ts';
import type { CoupledStructure } from '../structures/structures.ts';
import type { LayerProgress } from '../sums/layer-progress.ts';
import { type LayerScores, LayerSums } from '../sums/layer-sums.ts';
import type { LayerPartial } from '../sums/shards.ts';
import { layerWeights } from './layer-weights.ts';
import type { LayerStates } from './score-forward.ts';
import type { ScorePrograms } from './score-programs.ts';

interface ScoreLayerOptions extends LongRunning {
  readonly structures: readonly CoupledStructure[];
  readonly score: ScorePrograms;
  readonly watch: Stopwatch;
  /** Absent where element metrics and stability are not wanted: no weight gradient is computed at all. */
  readonly stages: ElementStages | undefined;
  readonly buffers: RunBuffers;
  /** Told how many windows a batch had. */
  readonly onWindows: (windows: number) => void;
  /** Goes on from here: the gradients of its batches have passed this layer. Its sums are taken over: the map is empty afterwards. */
  readonly resume?: LayerProgress | undefined;
  /** Told after each batch but the last what the layer has summed so far. */
  readonly onBatch?: ((progress: () => Promise<LayerProgress>) => Promise<void>) | undefined;
  /** Kinds of sums to return as well: `sumsFor`. */
  readonly partial?: ReadonlySet<string> | undefined;
}

/**
 * Scores one layer from batches of windows: the states [windows, tokens, hiddenSize] that enter it and the gradients that leave it. Each gradient is replaced in place
 * by the one with respect to the entering state; all of them stay the caller's. Returns the scores, and the sums that they follow from where those are wanted.
 */
export async function scoreLayer(
  programs: Programs,
  store: WeightStore,
  layer: number,
  { hidden: states, kept }: LayerStates,
  gradients: DeviceTensor[],
  options: ScoreLayerOptions,
): Promise<{ readonly scores: LayerScores; readonly partial: LayerPartial | undefined }> {
  const { structures, score, stages, buffers, watch } = options;
  const { members } = score;
  const session = await score.score(kept !== undefined);
  const { device, host } = await watch.time('weights', () => layerWeights(programs, store, layer));
  using weights = device;
  using stage = await watch.time('weights', async () =>
    stages?.layer(members, weights, host, states[0]?.shape[1] ?? 0),
  );
  const sums = new LayerSums(structures, members);
  const done = options.resume?.batches ?? 0;
  if (options.resume) {
    const windows = states.slice(0, done).reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
    sums.takeUp(options.resume.sums, windows, states[0]?.shape[1] ?? 0);
    await stage?.takeUp(options.resume.sums, windows);
    // They are as large as two layers, and the caller holds them to its end.
    options.resume.sums.clear();
    options.onWindows(windows);
  }
  let spare: DeviceTensor | undefined;
  try {
    for (const [index, hidden] of states.entries()) {
      if (index < done) continue;
      throwIfCancelled(options.signal);
      const outputGradient = gradients[index];
      if (!outputGradient) throw new MismatchError(`Batch ${index} of layer ${layer} has states and no gradient.`);
      const [windows = 0, tokens = 0] = hidden.shape;
      const { cosine, sine, mask } = programs.positions(tokens, layer);
      const key = `${session.outputNames.length}:${hidden.shape}:${members.map(({ weight }) => only(weights.tensors, weight).shape)}`;
      const target = spare && `${spare.shape}` === `${hidden.shape}` ? spare : undefined;
      const outputs = await watch.time('backward', () =>
        buffers.run(
          session,
          feedsOf(session, { ...weights.tensors, ...kept?.[index], hidden, cosine, sine, mask, outputGradient }),
          key,
          target ? { 'gradient/hidden': target } : {},
        ),
      );
      if (target) spare = undefined;
      gradients[index] = target ?? buffers.take('gradient/hidden') ?? only(outputs, 'gradient/hidden');
      spare?.dispose();
      spare = outputGradient;
      sums.add(
        windows,
        tokens,
        await watch.time('backward', () => readMatching(programs.runtime, outputs, /^(signed|sum|squares)\//)),
      );
      await watch.time('elements', async () => stage?.add({ windows, tokens, value: (name) => only(outputs, name) }));
      options.onWindows(windows);
      if (index + 1 < states.length)
        await options.onBatch?.(async () => ({
          batches: index + 1,
          sums: new Map([...sums.progress(), ...((await stage?.progress()) ?? [])]),
        }));
    }
    const weightOf = (weight: string) => host[weight];
    const results = await watch.time('elements', async () => stage?.finish());
    if (results) sums.addMagnitudes(results.absolute);
    const raw = async (order: 'first' | 'second') =>
      options.partial?.has(order) ? await stage?.sums(order) : undefined;
    return await watch.time('metrics', async () => ({
      scores: sums.scores(weightOf, results?.totals),
      partial:
        options.partial &&
        sums.partial(options.partial, weightOf, results?.totals, {
          first: await raw('first'),
          second: await raw('second'),
        }),
    }));
  } finally {
    spare?.dispose();
  }
}

/** What the program reads: with kept activations it does without some weights. */
function feedsOf(session: Session, tensors: Readonly<Record<string, DeviceTensor>>): Record<string, DeviceTensor> {
  return Object.fromEntries(session.inputNames.map((name) => [name, only(tensors, name)]));
}

async function readMatching(
  runtime: Runtime,
  outputs: Record<string, DeviceTensor>,
  pattern: RegExp,
): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  for (const [name, tensor] of Object.entries(outputs)) {
    if (pattern.test(name)) found.set(name, (await runtime.read(tensor)).data as Float32Array);
  }
  return found;
}
