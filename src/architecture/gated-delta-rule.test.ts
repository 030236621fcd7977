import { expect, test } from 'vitest';
import { GraphBuilder } from '../onnx/builder.ts';
import {
  evaluate,
  expectClose,
  expectGradients,
  numbersOf,
  testRuntime,
} from '../operators/testing/finite-differences.ts';
import { randomNumbers, tensor } from '../operators/testing/host-tensors.ts';
import { CHUNK, EXAMPLE_TOKENS, gatedDeltaRule, LONGEST_RECURRENCE } from './gated-delta-rule.ts';
import { modelOf } from './model.ts';
import { Programs } from './programs.ts';
import { openFixture } from './testing/fixture.ts';

const KEYS = 3;
const VALUES = 2;
const INPUTS = { query: KEYS, key: KEYS, value: VALUES, decay: 1, write: 1 } as const;
type Name = keyof typeof INPUTS;

/** Random inputs of one sequence with two heads; keys of length one, so that a state never grows. */
function inputsOf(tokens: number): Record<Name, Float64Array> {
  const next = randomNumbers(tokens);
  const made = Object.fromEntries(
    Object.entries(INPUTS).map(([name, columns]) => {
      const values = Float64Array.from({ length: 2 * tokens * columns }, () => next());
      if (name === 'decay') return [name, values.map((value) => -0.3 * Math.abs(value))];
      if (name === 'write') return [name, values.map((value) => 0.5 + 0.5 * value)];
      for (let row = 0; name === 'key' && row < values.length; row += columns) {
        const length = Math.hypot(...values.subarray(row, row + columns));
        for (let index = row; index < row + columns; index++) values[index] = (values[index] ?? 0) / length;
      }
      return [name, values];
    }),
  );
  return made as Record<Name, Float64Array>;
}

/** The rule as it is defined, token after token. */
function tokenAfterToken(inputs: Record<Name, Float64Array>, tokens: number): Float64Array {
  const output = new Float64Array(2 * tokens * VALUES);
  const at = (name: Name, row: number, column = 0) => inputs[name][row * INPUTS[name] + column] ?? 0;
  for (let head = 0; head < 2; head++) {
    const state = Array.from({ length: KEYS }, () => new Float64Array(VALUES));
    for (let token = 0; token < tokens; token++) {
      const row = head * tokens + token;
      for (const kept of state) for (let v = 0; v < VALUES; v++) kept[v] = (kept[v] ?? 0) * Math.exp(at('decay', row));
      for (let v = 0; v < VALUES; v++) {
        const predicted = state.reduce((sum, kept, k) => sum + (kept[v] ?? 0) * at('key', row, k), 0);
        const change = at('write', row) * (at('value', row, v) - predicted);
        state.forEach((kept, k) => {
          kept[v] = (kept[v] ?? 0) + at('key', row, k) * change;
        });
        output[row * VALUES + v] = state.reduce((sum, kept, k) => sum + (kept[v] ?? 0) * at('query', row, k), 0);
      }
    }
  }
  return output;
}

const shapeOf = (name: Name) => ['batch', 2, 'tokens', INPUTS[name]] as const;

test('in chunks it gives what it gives token after token, over one chunk and over many', async () => {
  const builder = new GraphBuilder('rule');
  for (const name of Object.keys(INPUTS) as Name[]) builder.input(name, 'float32', shapeOf(name));
  const output = gatedDeltaRule(builder, {
    query: 'query',
    key: 'key',
    value: 'value',
    decay: 'decay',
    write: 'write',
    keyDimension: KEYS,
    valueDimension: VALUES,
  });
  builder.output(output, 'float32', ['batch', 2, 'tokens', VALUES], 'output');
  const runtime = await testRuntime();
  const session = await runtime.createSession(builder.build());
  for (const tokens of [1, 63, 64, 65, 200, 450, LONGEST_RECURRENCE]) {
    const inputs = inputsOf(tokens);
    const feeds = Object.fromEntries(
      Object.entries(INPUTS).map(([name, columns]) => [
        name,
        tensor('float32', [1, 2, tokens, columns], [...inputs[name as Name]]),
      ]),
    );
    const found = numbersOf(await evaluate(runtime, session, feeds), 'output');
    expectClose(found, tokenAfterToken(inputs, tokens), 2e-6, `${tokens} tokens`);
  }
  // Equal keys that are written whole: a sum of powers of the system's matrix would lose every digit here.
  const tokens = 300;
  const same = inputsOf(tokens);
  same.key.forEach((_, index) => {
    same.key[index] = index % KEYS === 0 ? 1 : 0;
  });
  same.write.fill(1);
  same.decay.fill(0);
  const feeds = Object.fromEntries(
    Object.entries(INPUTS).map(([name, columns]) => [
      name,
      tensor('float32', [1, 2, tokens, columns], [...same[name as Name]]),
    ]),
  );
  expectClose(
    numbersOf(await evaluate(runtime, session, feeds), 'output'),
    tokenAfterToken(same, tokens),
    2e-6,
    'equal keys',
  );
  session.dispose();
  expect(runtime.statistics().liveTensors).toBe(0);
});

test('its gradients are those of finite differences, across chunks too', async () => {
  await expectGradients({
    build: (builder, input) => {
      const of = (name: Name, map: (value: number) => number) =>
        input(name, ['batch', 1, 'tokens', INPUTS[name]], { map });
      return gatedDeltaRule(builder, {
        query: of('query', (value) => value),
        key: of('key', (value) => 0.6 * value),
        value: of('value', (value) => value),
        decay: of('decay', (value) => -0.2 - 0.1 * value),
        write: of('write', (value) => 0.5 + 0.4 * value),
        keyDimension: KEYS,
        valueDimension: VALUES,
      });
    },
    dataType: 'float32',
    tolerance: 2e-3,
    analysis: { batch: 2, tokens: EXAMPLE_TOKENS },
    sizes: [
      { batch: 1, tokens: 2 * CHUNK + 2 },
      { batch: 2, tokens: 3 },
    ],
  });
});

test('a window that is longer than states are carried through is refused, with both numbers', async () => {
  const { checkpoint } = await openFixture('qwen3-5');
  const { architecture } = modelOf({
    ...checkpoint,
    config: { ...checkpoint.config, max_position_embeddings: 2 * LONGEST_RECURRENCE },
  });
  using programs = new Programs(await testRuntime(), architecture);
  expect(() => programs.shared(LONGEST_RECURRENCE + 1, 0)).toThrow(
    'A window of 4097 tokens was asked for; recurrent layers take 4096. Ask for windows of at most 4096.',
  );
  expect(programs.shared(LONGEST_RECURRENCE, 0)).toEqual({});
});
