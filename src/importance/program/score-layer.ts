import { type Programs, singleOutput } from '../../architecture/programs.ts';
import type { WeightStore } from '../../architecture/weight-store.ts';
import { MismatchError, throwIfCancelled } from '../../errors.ts';
import type { LongRunning } from '../../progress.ts';
import type { DeviceTensor, Runtime, Session } from '../../runtime/runtime.ts';
import type { ElementStages } from '../elements/element-stages.ts';
import type { RunBuffers } from '../elements/run-buffers.ts';
import type { ElementStage, WeightSum } from '../elements/stage.ts';
import { WEIGHT_SUMS } from '../elements/stage.ts';
import type { Stopwatch } from '../stopwatch.ts';
import { LayerSums } from '../sums/layer-sums.ts';
import type { BegunLayer } from '../sums/score-state.ts';
import { type LayerLayout, type SumName, sumKey } from '../sums/sum-table.ts';
import { layerWeights } from './layer-weights.ts';
import type { LayerStates } from './score-forward.ts';
import type { ScorePrograms } from './score-programs.ts';

interface ScoreLayerOptions extends LongRunning {
  readonly layout: LayerLayout;
  readonly score: ScorePrograms;
  readonly watch: Stopwatch;
  /** Absent where element metrics and stability are not wanted: no weight gradient is computed at all. */
  readonly stages: ElementStages | undefined;
  readonly buffers: RunBuffers;
  /** Told how many windows a batch had. */
  readonly onWindows: (windows: number) => void;
  /** Goes on from here: the gradients of its batches have passed this layer. Its sums are taken over. */
  readonly resume?: BegunLayer | undefined;
  /** Told after each batch but the last what the layer has summed so far. */
  readonly onBatch?: ((begun: () => Promise<BegunLayer>) => Promise<void>) | undefined;
  /** The sums to return. */
  readonly keep: ReadonlySet<SumName>;
}

/**
 * Scores one layer from batches of windows: the states [windows, tokens, hiddenSize] that enter it and the gradients that leave it. Each gradient is replaced in place
 * by the one with respect to the entering state; all of them stay the caller's. Returns the sums that the scores follow from.
 */
export async function scoreLayer(
  programs: Programs,
  store: WeightStore,
  layer: number,
  { hidden: states, kept }: LayerStates,
  gradients: DeviceTensor[],
  options: ScoreLayerOptions,
): Promise<LayerSums> {
  const { layout, score, stages, buffers, watch } = options;
  const { members, channels } = score;
  const session = await score.score(kept !== undefined);
  const { device, host } = await watch.time('weights', () => layerWeights(programs, store, layer));
  using weights = device;
  using stage = await watch.time('weights', async () =>
    stages?.layer(members, weights, host, states[0]?.shape[1] ?? 0),
  );
  const { batches: done, sums } = options.resume ?? { batches: 0, sums: new LayerSums(layout) };
  if (options.resume) {
    // The sums of single weights are as large as two layers: the stage has them from here on.
    await stage?.restore((sum, weight) => sums.take(sum, weight) ?? new Float32Array(), sums.windows);
    options.onWindows(sums.windows);
  }
  let spare: DeviceTensor | undefined;
  try {
    for (const [index, hidden] of states.entries()) {
      if (index < done) continue;
      throwIfCancelled(options.signal);
      const outputGradient = gradients[index];
      if (!outputGradient) throw new MismatchError(`Batch ${index} of layer ${layer} has states and no gradient.`);
      const [windows = 0, tokens = 0] = hidden.shape;
      const shared = programs.shared(tokens, layer);
      const key = `${session.outputNames.length}:${hidden.shape}:${members.map(({ weight }) => singleOutput(weights.tensors, weight).shape)}`;
      const target = spare && `${spare.shape}` === `${hidden.shape}` ? spare : undefined;
      const outputs = await watch.time('backward', () =>
        buffers.run(
          session,
          feedsOf(session, { ...weights.tensors, ...kept?.[index], hidden, ...shared, outputGradient }),
          key,
          target ? { 'gradient/hidden': target } : {},
        ),
      );
      if (target) spare = undefined;
      gradients[index] = target ?? buffers.take('gradient/hidden') ?? singleOutput(outputs, 'gradient/hidden');
      spare?.dispose();
      spare = outputGradient;
      sums.add(
        windows,
        tokens,
        members,
        await watch.time('backward', () =>
          readMatching(programs.runtime, outputs, /^(signed|elements|sum|squares|energy)\//),
        ),
        channels,
      );
      await watch.time('elements', async () =>
        stage?.add({ windows, tokens, value: (name) => singleOutput(outputs, name) }),
      );
      if (stage) sums.addMagnitudes(stage.magnitudes());
      options.onWindows(windows);
      if (index + 1 < states.length)
        await options.onBatch?.(async () => ({
          batches: index + 1,
          sums: await snapshot(layout, sums, stage, members),
        }));
    }
    const totals = await watch.time('elements', async () => stage?.finish());
    if (stage) sums.addMagnitudes(stage.magnitudes());
    return await watch.time('metrics', async () => {
      if (score.needs.has('weights')) sums.addWeights((weight) => host[weight]);
      sums.closeEnergies(members, (weight) => host[weight], channels);
      sums.close(totals);
      for (const { weight } of stage ? members : [])
        for (const sum of WEIGHT_SUMS)
          if (options.keep.has(sum)) sums.set(sum, weight, (await stage?.sums(sum, weight)) ?? new Float32Array());
      sums.keep(options.keep);
      return sums;
    });
  } finally {
    spare?.dispose();
  }
}

/** The sums so far, with those of single weights that the stage holds. */
async function snapshot(
  layout: LayerLayout,
  sums: LayerSums,
  stage: ElementStage | undefined,
  members: readonly { readonly weight: string }[],
): Promise<LayerSums> {
  const read = await stage?.progress();
  if (stage) sums.addMagnitudes(stage.magnitudes());
  const ofWeights: [string, Float32Array][] = [];
  const keys = members.flatMap(({ weight }) => WEIGHT_SUMS.map((sum): [WeightSum, string] => [sum, weight]));
  for (const [sum, weight] of read ? keys : [])
    ofWeights.push([sumKey(sum, weight), (await read?.(sum, weight)) ?? new Float32Array()]);
  return LayerSums.from(layout, sums, [...sums.tensors(), ...ofWeights]);
}

/** What the program reads: with kept activations it does without some weights. */
function feedsOf(session: Session, tensors: Readonly<Record<string, DeviceTensor>>): Record<string, DeviceTensor> {
  return Object.fromEntries(session.inputNames.map((name) => [name, singleOutput(tensors, name)]));
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
