import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { differentiate } from '../../passes/differentiate.ts';
import type { DeviceTensor, HostTensor, Runtime } from '../../runtime/runtime.ts';
import { forwardBlocks, nextTokenTargets, rowChunks } from '../forward.ts';
import { modelOf } from '../model.ts';
import { exampleBindings, Programs, programName, singleOutput } from '../programs.ts';
import { WeightStore } from '../weight-store.ts';

export interface Computed {
  /** [windows * tokens, vocabulary] */
  readonly logits: Float32Array;
  /** Of every prediction, in nats. */
  readonly losses: readonly number[];
  /** Of the mean loss: `hidden.N` per block input, `hidden.final`, and `N/<input>` per weight. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

/** Everything that the programs of a model compute for equally long windows: logits, losses, and the gradients of the mean loss. */
export async function computeAll(
  runtime: Runtime,
  checkpoint: Checkpoint,
  windows: readonly (readonly number[])[],
): Promise<Computed> {
  const model = modelOf(checkpoint);
  using programs = new Programs(runtime, model.architecture);
  using store = new WeightStore(runtime, model);
  const inputs: DeviceTensor[] = [];
  const [last] = await forwardBlocks(programs, store, [windows], {
    run: async (weights, hidden, layer) => {
      const output = await programs.block(weights, hidden, layer);
      inputs.push(hidden);
      return output;
    },
  });
  using final = last as DeviceTensor;
  const states = await runtime.read(final);
  const { targets, weights } = nextTokenTargets(windows);
  const chunk = rowChunks(states, Number.MAX_SAFE_INTEGER).next().value?.chunk as HostTensor;
  using head = await store.lease('head');
  const logits = await programs.logits(head, chunk);
  const { losses, gradient } = await programs.lossGradient(
    head,
    chunk,
    targets,
    weights.map((weight) => weight / windows.length),
  );
  const gradients = await blockGradients(programs, store, inputs, { ...states, data: gradient });
  const scored = [...losses].filter((_, row) => weights[row] !== 0);
  return { logits, losses: scored, gradients: new Map([...gradients, ['hidden.final', gradient]]) };
}

/** Gradients with respect to every block's input (`hidden.N`) and every weight (`N/input`), from the last block to the first. */
async function blockGradients(
  programs: Programs,
  store: WeightStore,
  inputs: readonly DeviceTensor[],
  last: HostTensor,
) {
  const { runtime, architecture } = programs;
  // What experts are chosen by has no gradient.
  const differentiated = (layer: number) =>
    architecture
      .blockWeights(layer)
      .map(({ input }) => input)
      .filter((input) => input !== 'mlp.selection');
  const gradientSession = (layer: number) => {
    const kind = architecture.kind(layer);
    return programs.session(programName('gradient of everything', kind), () =>
      differentiate(architecture.block(kind), {
        seeds: { output: 'outputGradient' },
        wrt: ['hidden', ...differentiated(layer)],
        bindings: exampleBindings(architecture),
      }),
    );
  };
  const gradients = new Map<string, Float32Array>();
  let outputGradient = runtime.upload(last);
  for (let layer = inputs.length - 1; layer >= 0; layer--) {
    using hidden = inputs[layer] as DeviceTensor;
    using weights = await store.lease(layer);
    using above = outputGradient;
    const session = await gradientSession(layer);
    const shared = programs.shared(hidden.shape[1] ?? 0, layer);
    const feeds: Record<string, DeviceTensor> = { ...weights.tensors, hidden, ...shared, outputGradient: above };
    const read = Object.fromEntries(session.inputNames.map((name) => [name, singleOutput(feeds, name)]));
    const outputs = await session.run(read);
    outputGradient = singleOutput(outputs, 'gradient/hidden');
    gradients.set(`hidden.${layer}`, (await runtime.read(outputGradient)).data as Float32Array);
    for (const name of differentiated(layer)) {
      using gradient = singleOutput(outputs, `gradient/${name}`);
      gradients.set(`${layer}/${name}`, (await runtime.read(gradient)).data as Float32Array);
    }
  }
  outputGradient.dispose();
  return gradients;
}
