import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { FIXTURES, openFixture } from '../architecture/testing/fixture.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { CancelledError } from '../errors.ts';
import { blockLikelihoods } from '../evaluate/tasks-blocks.ts';
import { decoderLikelihoods } from '../evaluate/tasks-decoder.ts';
import type { ContextGroup } from '../evaluate/tasks-encode.ts';
import { blockProgramLogits } from '../export/block-logits.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { referenceLogits } from '../export/testing/reference-llama.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import { seededRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { OpenModel } from './open-model.ts';
import { evaluateTasks, type TaskItemResult } from './tasks.ts';

const VOCABULARY = 64;
let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

/** The sum of log softmax(logits)[token] over a continuation, from the full logits of its own sequence. */
function sumOfLogProbabilities(
  logits: readonly ArrayLike<number>[],
  context: readonly number[],
  continuation: readonly number[],
): number {
  return continuation.reduce((sum, token, offset) => {
    const row = Array.from(logits[context.length + offset - 1] ?? []);
    return sum + (row[token] ?? Number.NaN) - Math.log(row.reduce((total, logit) => total + Math.exp(logit), 0));
  }, 0);
}

function randomGroups(vocabulary: number, longest: number, seed: number): ContextGroup[] {
  const random = seededRandom(seed);
  const tokens = (count: number) => Array.from({ length: count }, () => Math.floor(random() * vocabulary));
  return Array.from({ length: 7 }, (_, index) => ({
    context: tokens(1 + Math.floor(random() * longest)),
    continuations: Array.from({ length: 2 + (index % 3) }, () => tokens(1 + Math.floor(random() * 6))),
  }));
}

const LLAMAS = {
  dense: randomLlama({ seed: 3 }),
  'pruned, with a block removed': randomLlama({
    seed: 4,
    biases: true,
    widths: [
      { keyValueHeads: 1, neurons: 17 },
      { keyValueHeads: 0, neurons: 0 },
      { keyValueHeads: 2, neurons: 40 },
    ],
  }),
  'with heads of dimension 12, whose decoder cache grows': randomLlama({ seed: 5, headDimension: 12, layers: 2 }),
} as const;

describe.each(Object.entries(LLAMAS))('log-likelihoods of choices, %s', (_, checkpoint) => {
  const groups = randomGroups(VOCABULARY, 40, 11);
  let expected: number[][];
  beforeAll(async () => {
    expected = [];
    for (const { context, continuations } of groups) {
      const sums: number[] = [];
      for (const ids of continuations)
        sums.push(sumOfLogProbabilities(await referenceLogits(checkpoint, [...context, ...ids]), context, ids));
      expected.push(sums);
    }
  });

  test('block programs: packed items equal plain sums of one sequence at a time, and nothing stays on the device', async () => {
    using open = new OpenModel(runtime, checkpoint, { residentBytes: 0 });
    const before = runtime.statistics().liveTensors;
    const found = await blockLikelihoods(open.programs, open.store).logLikelihoods(groups);
    expectClose(found, expected);
    expect(runtime.statistics().liveTensors).toBe(before);
  });

  test('decoder: choices on a kept context equal plain sums of one sequence at a time, and nothing stays on the device', async () => {
    const before = runtime.statistics().liveTensors;
    using decoder = await decoderForModel(runtime, modelOf(checkpoint));
    const found = await decoderLikelihoods(decoder).logLikelihoods(groups);
    expectClose(found, expected);
    decoder.dispose();
    expect(runtime.statistics().liveTensors).toBe(before);
  });
});

function expectClose(found: readonly (readonly number[])[], expected: readonly (readonly number[])[]): void {
  expect(found.map((row) => row.length)).toEqual(expected.map((row) => row.length));
  found.flat().forEach((value, index) => {
    expect(Math.abs(value - (expected.flat()[index] ?? Number.NaN))).toBeLessThan(2e-4);
  });
}

test.each(FIXTURES)('packed items see positions as their own sequences do: %s', async (name) => {
  const { checkpoint } = await openFixture(name);
  using open = new OpenModel(runtime, checkpoint);
  const { vocabulary } = open.config;
  const logitsOf = blockProgramLogits(open.programs, open.store);
  const groups = randomGroups(vocabulary, 9, 5);
  const expected: number[][] = [];
  for (const { context, continuations } of groups) {
    const sums: number[] = [];
    for (const ids of continuations) {
      const flat = await logitsOf([...context, ...ids]);
      const rows = Array.from({ length: context.length + ids.length }, (_, row) =>
        flat.subarray(row * vocabulary, (row + 1) * vocabulary),
      );
      sums.push(sumOfLogProbabilities(rows, context, ids));
    }
    expected.push(sums);
  }
  expectClose(await blockLikelihoods(open.programs, open.store).logLikelihoods(groups), expected);
});

/** A random model with a tokenizer of one letter a token. */
function lettersModel(): Checkpoint {
  const tokenizer = {
    model: {
      type: 'BPE',
      unk_token: '0',
      merges: [],
      vocab: Object.fromEntries(
        Array.from({ length: VOCABULARY }, (_, id) => [id === 0 ? ' ' : String.fromCharCode(47 + id), id]),
      ),
    },
    added_tokens: [],
    decoder: { type: 'Fuse' },
  };
  return {
    ...randomLlama({ seed: 3 }),
    file: async (name) => (name === 'tokenizer.json' ? new TextEncoder().encode(JSON.stringify(tokenizer)) : undefined),
  };
}

describe('evaluateTasks', () => {
  const random = seededRandom(8);
  const word = () =>
    Array.from({ length: 2 + Math.floor(random() * 20) }, () =>
      String.fromCharCode(48 + Math.floor(random() * 40)),
    ).join('');
  const items = Array.from({ length: 12 }, () => ({
    query: word(),
    choices: [word(), word(), word()],
    gold: Math.floor(random() * 3),
  }));
  const tasks = [
    { name: 'first', items },
    { name: 'second', items: items.slice(0, 5) },
  ];

  test('gives the same on block programs and a decoder, reports every item, and goes on from finished ones', async () => {
    using open = new OpenModel(runtime, lettersModel());
    const kept = new Map<string, Map<number, readonly number[]>>();
    const events: number[] = [];
    const keep = (task: string, found: readonly TaskItemResult[]) => {
      const of = kept.get(task) ?? new Map<number, readonly number[]>();
      for (const { item, logLikelihoods } of found) of.set(item, logLikelihoods);
      kept.set(task, of);
    };
    const results = await evaluateTasks(open, tasks, {
      onItems: keep,
      onProgress: ({ completed, total }) => {
        expect(total).toBe(17);
        events.push(completed);
      },
    });
    expect(events).toEqual([...events].sort((a, b) => a - b));
    expect(events.at(-1)).toBe(17);
    expect(Object.keys(results)).toEqual(['first', 'second']);
    expect(results.second?.predictions).toEqual(results.first?.predictions.slice(0, 5));

    using decoder = await decoderForModel(runtime, open.model);
    const exported = { decoder, tokenizer: () => open.tokenizer(), maximumPositions: 128 };
    // Margins are differences of log-likelihoods, which two programs add up in different orders.
    const rounded = (value: unknown) =>
      JSON.parse(JSON.stringify(value, (_, each) => (typeof each === 'number' ? Number(each.toPrecision(5)) : each)));
    expect(rounded(await evaluateTasks(exported, tasks))).toEqual(rounded(results));

    kept.get('first')?.delete(4);
    const again: number[] = [];
    const resumed = await evaluateTasks(open, tasks, {
      finished: kept,
      onItems: (_, found) => {
        again.push(...found.map(({ item }) => item));
      },
    });
    expect(again).toEqual([4]);
    expect(rounded(resumed)).toEqual(rounded(results));
  });

  test('stops when cancelled, with nothing left on the device', async () => {
    using open = new OpenModel(runtime, lettersModel(), { residentBytes: 0 });
    const before = runtime.statistics().liveTensors;
    const controller = new AbortController();
    const running = evaluateTasks(open, tasks, {
      signal: controller.signal,
      onProgress: ({ completed }) => completed > 1 && controller.abort(),
    });
    await expect(running).rejects.toThrow(CancelledError);
    expect(runtime.statistics().liveTensors).toBe(before);
  });
});
