import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { overlayCheckpoint } from '../checkpoint/overlay.ts';
import { CancelledError } from '../errors.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { OpenModel } from '../library/open-model.ts';
import { seededRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { importance } from './importance.ts';
import type { MemberSlice } from './structures/structures.ts';
import { FAST_METRICS } from './sums/metrics.ts';

/** Independent of every gradient rule: losses by forward passes alone, of a model in which something is scaled a little up and down. */
const STEP = 1e-2;
const checkpoint = randomLlama({
  layers: 2,
  hiddenSize: 16,
  queryHeads: 4,
  keyValueHeads: 2,
  headDimension: 4,
  neurons: 6,
  vocabulary: 32,
  seed: 5,
});
const random = seededRandom(9);
const windows = Array.from({ length: 3 }, () => Int32Array.from({ length: 10 }, () => Math.floor(random() * 32)));

let runtime: Runtime;
let open: OpenModel;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
  open = new OpenModel(runtime, checkpoint);
});
afterAll(() => {
  open.dispose();
  runtime.dispose();
});

async function windowLosses(changed: Checkpoint): Promise<readonly number[]> {
  using model = open.withCheckpoint(changed);
  return (await perplexity(model.programs, model.store, windows)).windowLosses;
}

/** dL_j / d(scale) by central differences, per window, when `scale` multiplies the chosen entries of a weight. */
async function derivatives(
  layer: number,
  weight: string,
  chosen: (row: number, column: number) => boolean,
): Promise<number[]> {
  const binding = open.model.architecture.blockWeights(layer).find(({ input }) => input === weight);
  if (!binding) throw new Error(`no weight ${weight}`);
  const columns = binding.shape[1] ?? 1;
  const losses = async (scale: number) => {
    const data = await checkpoint.read(binding.tensor);
    for (let index = 0; index < data.length; index++) {
      if (chosen(Math.floor(index / columns), index % columns)) data[index] = (data[index] ?? 0) * scale;
    }
    return windowLosses(overlayCheckpoint(checkpoint, new Map([[binding.tensor, { shape: binding.shape, data }]])));
  };
  const [up, down] = [await losses(1 + STEP), await losses(1 - STEP)];
  return up.map((value, window) => (value - (down[window] ?? 0)) / (2 * STEP));
}

const inGroup = (member: MemberSlice, group: number) => (row: number, column: number) =>
  member.groupOfChannel[member.axis === 0 ? row : column] === group;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const close = (actual: number | undefined, expected: number, scale: number) =>
  expect(Math.abs((actual ?? Number.NaN) - expected)).toBeLessThan(2e-3 * scale + 2e-5);

describe('importance', () => {
  it.each([
    { layer: 0, kind: 'attention' as const, group: 1 },
    { layer: 1, kind: 'mlp' as const, group: 4 },
  ])('vector metrics of $kind group $group equal finite differences of its gates', async ({ layer, kind, group }) => {
    const result = await importance(open.programs, open.store, windows, { structuresOf: open.structuresOf });
    const structure = open.structuresOf(layer).find((candidate) => candidate.kind === kind);
    if (!structure) throw new Error(`no ${kind}`);
    const gates: number[][] = [];
    for (const member of structure.members) gates.push(await derivatives(layer, member.weight, inGroup(member, group)));
    const scores = result.layers[layer]?.[kind];
    const vector = gates.reduce((sum, gate) => sum + Math.abs(mean(gate)), 0);
    const vectorSecond = gates.reduce(
      (sum, gate) => sum + Math.abs(mean(gate) - mean(gate.map((value) => value * value)) / 2),
      0,
    );
    const joint = windows.map((_, window) => gates.reduce((sum, gate) => sum + (gate[window] ?? 0), 0));
    const fisher = mean(joint.map((value) => value * value)) / 2;
    close(scores?.vector?.[group], vector, vector);
    close(scores?.['vector-second']?.[group], vectorSecond, vectorSecond);
    close(scores?.fisher?.[group], fisher, fisher);
  });

  it('element metrics and stability of a neuron equal finite differences weight by weight', async () => {
    const [layer, group] = [1, 2];
    const result = await importance(open.programs, open.store, windows, { structuresOf: open.structuresOf });
    const structure = open.structuresOf(layer).find(({ kind }) => kind === 'mlp');
    if (!structure) throw new Error('no mlp');
    let [first, second, mixed] = [0, 0, 0];
    const absolute = windows.map(() => 0);
    for (const member of structure.members) {
      const size = open.config.hiddenSize;
      for (let other = 0; other < size; other++) {
        const own = inGroup(member, group);
        const perWindow = await derivatives(
          layer,
          member.weight,
          (row, column) => own(row, column) && (member.axis === 0 ? column : row) === other,
        );
        const meanSquare = mean(perWindow.map((value) => value * value));
        first += Math.abs(mean(perWindow));
        second += meanSquare;
        mixed += Math.abs(mean(perWindow) - meanSquare / 2);
        perWindow.forEach((value, window) => {
          absolute[window] = (absolute[window] ?? 0) + Math.abs(value);
        });
      }
    }
    const scores = result.layers[layer]?.mlp;
    close(scores?.['element-first']?.[group], first, 5 * first);
    close(scores?.['element-second']?.[group], second, 5 * second);
    close(scores?.['element-mixed']?.[group], mixed, 5 * mixed);
    const fluctuation = Math.sqrt(mean(absolute.map((value) => (value - mean(absolute)) ** 2))) / mean(absolute);
    close(scores?.stability?.[group], fluctuation, 5 * fluctuation);
  });

  it('gives the same bytes twice, frees every tensor, and compiles each program once', async () => {
    const before = runtime.statistics();
    const [a, b] = [
      await importance(open.programs, open.store, windows, { structuresOf: open.structuresOf }),
      await importance(open.programs, open.store, windows, { structuresOf: open.structuresOf }),
    ];
    expect(a.layers).toEqual(b.layers);
    const after = runtime.statistics();
    expect(after.liveTensors).toBe(before.liveTensors);
    expect(after.sessionsCreated).toBe(before.sessionsCreated);
  });

  it('computes what the metrics read and nothing beside: the same fast scores without depth and weight gradients', async () => {
    const options = { structuresOf: open.structuresOf };
    const all = await importance(open.programs, open.store, windows, options);
    const fast = await importance(open.programs, open.store, windows, { ...options, metrics: FAST_METRICS });
    expect(Object.keys(all.stages)).toContain('depth');
    expect(Object.keys(fast.stages)).not.toContain('depth');
    for (const [layer, scores] of fast.layers.entries())
      for (const module of ['attention', 'mlp'] as const)
        expect(scores[module]).toEqual({
          kronecker: all.layers[layer]?.[module].kronecker,
          fisher: all.layers[layer]?.[module].fisher,
        });
  });

  it('leaves nothing behind when it is cancelled', async () => {
    const before = runtime.statistics().liveTensors;
    const controller = new AbortController();
    const running = importance(open.programs, open.store, windows, {
      structuresOf: open.structuresOf,
      signal: controller.signal,
      onProgress: ({ completed, total }) => completed > total / 2 && controller.abort(),
    });
    await expect(running).rejects.toBeInstanceOf(CancelledError);
    expect(runtime.statistics().liveTensors).toBe(before);
  });
});
