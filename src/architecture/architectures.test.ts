import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differentiate } from '../passes/differentiate.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { DeviceTensor, HostTensor, Runtime } from '../runtime/runtime.ts';
import { forwardBlocks, nextTokenTargets, rowChunks } from './forward.ts';
import { type Model, modelOf } from './model.ts';
import { exampleBindings, only, Programs } from './programs.ts';
import { FIXTURES, type Fixture, openFixture, relativeDifference } from './testing/fixture.ts';
import { WeightStore } from './weight-store.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const TOLERANCE = 2e-5;

/** Everything that the programs compute for a fixture: logits, losses, and the gradients of the mean loss. */
async function computed({ checkpoint, windows }: Fixture) {
  const model = modelOf(checkpoint);
  using programs = new Programs(runtime, model.architecture);
  using store = new WeightStore(runtime, model);
  const inputs: DeviceTensor[] = [];
  const [last] = await forwardBlocks(programs, store, [windows], {
    onLayer: (_layer, [state]) => {
      inputs.push(state as DeviceTensor);
      return true;
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
  const gradients = await blockGradients(programs, store, model, inputs, { ...states, data: gradient });
  const scored = [...losses].filter((_, row) => weights[row] !== 0);
  return { logits, losses: scored, gradients: new Map([...gradients, ['hidden.final', gradient]]) };
}

/** Gradients with respect to every block's input (`hidden.N`) and every weight (`N/input`), from the last block to the first. */
async function blockGradients(programs: Programs, store: WeightStore, model: Model, inputs: readonly DeviceTensor[], last: HostTensor) {
  const { architecture } = model;
  const names = architecture.blockWeights(0).map(({ input }) => input);
  using session = await runtime.createSession(
    differentiate(architecture.block(), {
      seeds: { output: 'outputGradient' },
      wrt: ['hidden', ...names],
      bindings: exampleBindings(architecture),
    }),
  );
  const gradients = new Map<string, Float32Array>();
  let outputGradient = runtime.upload(last);
  for (let layer = inputs.length - 1; layer >= 0; layer--) {
    using hidden = inputs[layer] as DeviceTensor;
    using weights = await store.lease(layer);
    using above = outputGradient;
    const { cosine, sine, mask } = programs.positions(hidden.shape[1] ?? 0, layer);
    const outputs = await session.run({ ...weights.tensors, hidden, cosine, sine, mask, outputGradient: above });
    outputGradient = only(outputs, 'gradient/hidden');
    gradients.set(`hidden.${layer}`, (await runtime.read(outputGradient)).data as Float32Array);
    for (const name of names) {
      using gradient = only(outputs, `gradient/${name}`);
      gradients.set(`${layer}/${name}`, (await runtime.read(gradient)).data as Float32Array);
    }
  }
  outputGradient.dispose();
  return gradients;
}

describe.each(FIXTURES)('%s', (name) => {
  test('logits, losses and gradients are those of PyTorch', async () => {
    const fixture = await openFixture(name);
    const { architecture } = modelOf(fixture.checkpoint);
    const { logits, losses, gradients } = await computed(fixture);
    const expect_ = async (tensor: string, found: ArrayLike<number>, rows?: { start: number; end: number }) => {
      const expected = await fixture.expected.read(tensor, rows);
      expect(relativeDifference(found, expected), tensor).toBeLessThan(TOLERANCE);
    };
    await expect_('logits', logits);
    await expect_('losses', losses);
    for (let layer = 0; layer < architecture.config.layers; layer++) await expect_(`hidden.${layer}`, gradients.get(`hidden.${layer}`) ?? []);
    await expect_('hidden.final', gradients.get('hidden.final') ?? []);
    const checked = new Set<string>();
    for (const { input, tensor, rows } of architecture.blockWeights(1)) {
      if (!fixture.checkpoint.tensors.has(tensor)) continue;
      checked.add(tensor);
      await expect_(tensor, gradients.get(`1/${input}`) ?? [], rows);
    }
    // Every tensor of the block that PyTorch has, we have.
    expect([...checked].sort()).toEqual([...fixture.expected.tensors.keys()].filter((tensor) => tensor.startsWith('model.layers.1.')).sort());
  });

  test('reads the config that transformers writes as it reads the published one', async () => {
    const { checkpoint, savedConfig } = await openFixture(name);
    const published = modelOf(checkpoint).architecture;
    const saved = modelOf({ ...checkpoint, config: savedConfig }).architecture;
    expect(saved.config).toEqual(published.config);
    expect(saved.design).toEqual(published.design);
    for (let layer = 0; layer < published.config.layers; layer++) {
      expect(saved.positions(layer)).toEqual(published.positions(layer));
      expect(saved.blockWeights(layer)).toEqual(published.blockWeights(layer));
    }
  });

  test('leaves nothing on the device', async () => {
    const before = runtime.statistics().liveTensors;
    await computed(await openFixture(name));
    expect(runtime.statistics().liveTensors).toBe(before);
  });
});
