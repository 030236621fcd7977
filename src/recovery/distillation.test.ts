import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFixture } from '../architecture/testing/fixture.ts';
import { divergenceFrom, teach } from '../evaluate/divergence/teacher.ts';
import { OpenModel } from '../library/open-model.ts';
import { type RecoverOptions, recover } from '../library/recover.ts';
import type { Progress } from '../progress.ts';
import { createRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { Distillation } from './distillation.ts';
import { adaptedModel, randomWindows } from './testing/adapted.ts';
import { adapterParameters, stepGradients } from './training-step.ts';
import { trainingBatch } from './training-windows.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

/** What the fixtures' plans keep of its two layers. */
const LAYERS = [
  { attention: [0], mlp: [1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 23] },
  { attention: [1], mlp: [0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19, 21, 22] },
];

describe('distillation', () => {
  it.each(['kl', 'both'] as const)('%s: gradients of adapters against finite differences', async (loss) => {
    const { checkpoint } = await openFixture('llama');
    using dense = new OpenModel(runtime, checkpoint);
    using setup = await adaptedModel(runtime, checkpoint, { method: 'lora', trained: true, scale: 4 });
    const windows = randomWindows(3, 48);
    const distillation = await Distillation.prepare(dense.programs, dense.store, windows, { loss });
    const plain = trainingBatch(windows);
    const batch = { ...plain, taught: { teacher: distillation.of(windows, plain), loss } };
    const found = await stepGradients(setup.model, [batch]);
    const text = await stepGradients(setup.model, [plain]);
    expect(found.loss).toBeLessThan(text.loss);
    const parameters = adapterParameters(setup.adapters);
    const random = createRandom(6);
    const directions = parameters.map((values) => Float32Array.from(values, () => random.normal()));
    const start = parameters.map((values) => values.slice());
    const lossAt = async (distance: number) => {
      for (const [index, values] of parameters.entries())
        for (const place of values.keys())
          values[place] = (start[index]?.[place] ?? 0) + distance * (directions[index]?.[place] ?? 0);
      return (await stepGradients(setup.model, [batch])).loss;
    };
    const distance = 1e-3;
    const difference = ((await lossAt(distance)) - (await lossAt(-distance))) / (2 * distance);
    const slope = found.gradients.reduce(
      (sum, values, index) =>
        sum + values.reduce((own, value, place) => own + value * (directions[index]?.[place] ?? 0), 0),
      0,
    );
    expect(Math.abs(slope)).toBeGreaterThan(0.01);
    expect(Math.abs(slope - difference)).toBeLessThan(0.02 * Math.abs(slope) + 2e-4);
  });

  it('brings a pruned model nearer to the dense one, goes on bit for bit, and needs a teacher', async () => {
    const { checkpoint } = await openFixture('llama');
    using dense = new OpenModel(runtime, checkpoint);
    using pruned = dense.pruned(LAYERS);
    const examples = randomWindows(24, 48);
    const options: RecoverOptions = {
      ...{ method: 'lora', steps: 12, batchWindows: 8, learningRate: 0.02, dropout: 0.1, rank: 4 },
      ...{ examples, evaluateEvery: 4, teacher: dense },
    };
    let kept: Uint8Array | undefined;
    const states: Uint8Array[] = [];
    const memory = { read: async () => kept, write: async (bytes: Uint8Array) => void states.push(bytes), every: 4 };
    const whole = await recover(pruned, { ...options, checkpoint: memory });
    using recovered = whole.model;
    expect(whole.loss).toBe('kl');
    const windows = Array.from({ length: 8 }, (_, index) =>
      Int32Array.from({ length: 12 }, (__, at) => (index * 7 + at * 5) % 48),
    );
    const teacher = await teach(dense.programs, dense.store, windows);
    const far = async ({ programs, store }: OpenModel) => (await divergenceFrom(programs, store, teacher)).klDivergence;
    const learnt = whole.history.map(({ loss }) => loss).filter((loss) => loss !== undefined);
    expect(learnt.at(-1)).toBeLessThan(learnt[0] ?? 0);
    expect(await far(recovered)).toBeLessThan(await far(pruned));

    kept = states[0];
    const again = await recover(pruned, { ...options, checkpoint: memory });
    again.model.dispose();
    expect(again.history).toEqual(whole.history);
    await expect(recover(pruned, { ...options, loss: 'text', checkpoint: memory })).rejects.toThrow(
      'is of another training',
    );
    const { teacher: _, ...alone } = options;
    await expect(recover(pruned, { ...alone, loss: 'kl' })).rejects.toThrow('give the dense model as the teacher');
  });

  it('lets the teacher read the windows that the steps learn from, and tells how far it is', async () => {
    const { checkpoint } = await openFixture('llama');
    using dense = new OpenModel(runtime, checkpoint);
    using pruned = dense.pruned(LAYERS);
    const read: Progress[] = [];
    const { model } = await recover(pruned, {
      ...{ method: 'lora', steps: 2, batchWindows: 3, learningRate: 0.02, rank: 4, teacher: dense },
      examples: randomWindows(24, 48),
      onTeacher: (progress) => read.push(progress),
    });
    model.dispose();
    expect(read.at(-1)).toMatchObject({ stage: 'teacher', completed: 6, total: 6, unit: 'windows' });
  });
});
