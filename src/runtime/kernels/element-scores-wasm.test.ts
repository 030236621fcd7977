import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../random.ts';
import { createNodeRuntime } from '../node.ts';
import { elementScoresModule } from './element-scores-wasm.ts';
import type { HelperThreads } from './helper-threads.ts';
import { type ScoredMatrix, WasmElementScorer } from './run-element-scores-wasm.ts';

const random = seededRandom(31);
const draw = (length: number) => Float32Array.from({ length }, () => random() - 0.5);

/** Layers whose sizes are no multiples of the tile, share an input, and have more rows than one call takes. */
const MATRICES: readonly ScoredMatrix[] = [
  { name: 'wide', axis: 0, outputs: 70, inputs: 19, input: 'x', outputGradient: 'dwide' },
  { name: 'small', axis: 0, outputs: 3, inputs: 19, input: 'x', outputGradient: 'dsmall' },
  { name: 'down', axis: 1, outputs: 66, inputs: 70, input: 'a', outputGradient: 'ddown' },
  { name: 'even', axis: 1, outputs: 8, inputs: 16, input: 'e', outputGradient: 'deven' },
];
const TOKENS = 5;
/** More windows than wait for one pass. */
const WINDOWS = 11;

const weights = new Map(MATRICES.map(({ name, outputs, inputs }) => [name, draw(outputs * inputs)]));
const activations = Array.from({ length: WINDOWS }, () => {
  const values = new Map<string, Float32Array>();
  for (const { input, inputs, outputGradient, outputs } of MATRICES) {
    if (!values.has(input)) values.set(input, draw(TOKENS * inputs));
    values.set(outputGradient, draw(TOKENS * outputs));
  }
  return values;
});

async function scores(helpers: HelperThreads | undefined) {
  using scorer = new WasmElementScorer(helpers);
  // A layer before: what it leaves in memory must not count.
  scorer.begin(MATRICES, TOKENS, (name) => (weights.get(name) ?? new Float32Array()).map((value) => 3 * value));
  for (const values of activations) await scorer.put((name) => values.get(name) ?? new Float32Array());
  await scorer.finish();
  scorer.begin(MATRICES, TOKENS, (name) => weights.get(name) ?? new Float32Array());
  for (const values of activations) await scorer.put((name) => values.get(name) ?? new Float32Array());
  const totals = await scorer.finish();
  const absolute = scorer.magnitudes();
  const raw = new Map(
    await Promise.all(
      MATRICES.map(
        async ({ name }) => [name, [await scorer.sums(name, 'first'), await scorer.sums(name, 'second')]] as const,
      ),
    ),
  );
  return { absolute, totals, raw };
}

/** docs/method.md section 2 by loops in float64. */
function expected({ name, axis, outputs, inputs, input, outputGradient }: ScoredMatrix) {
  const w = weights.get(name) ?? [];
  const channels = axis === 0 ? outputs : inputs;
  const [first, second] = [new Float64Array(outputs * inputs), new Float64Array(outputs * inputs)];
  const absolute = activations.map((values) => {
    const [x, dy] = [values.get(input) ?? [], values.get(outputGradient) ?? []];
    const sums = new Float64Array(channels);
    for (let row = 0; row < outputs; row++) {
      for (let column = 0; column < inputs; column++) {
        let gradient = 0;
        for (let token = 0; token < TOKENS; token++)
          gradient += Number(dy[token * outputs + row]) * Number(x[token * inputs + column]);
        const [at, channel] = [row * inputs + column, axis === 0 ? row : column];
        const product = Number(w[at]) * gradient;
        first[at] = Number(first[at]) + product;
        second[at] = Number(second[at]) + product ** 2;
        sums[channel] = Number(sums[channel]) + Math.abs(product);
      }
    }
    return sums;
  });
  const totals = {
    elementFirst: new Float64Array(channels),
    elementSecond: new Float64Array(channels),
    elementMixed: new Float64Array(channels),
  };
  first.forEach((sum, at) => {
    const channel = axis === 0 ? Math.floor(at / inputs) : at % inputs;
    const [mean, square] = [sum / WINDOWS, Number(second[at]) / WINDOWS];
    const add = (metric: keyof typeof totals, value: number) => {
      totals[metric][channel] = Number(totals[metric][channel]) + value;
    };
    add('elementFirst', Math.abs(mean));
    add('elementSecond', square);
    add('elementMixed', Math.abs(mean - square / 2));
  });
  return { first, second, absolute, totals };
}

function close(actual: ArrayLike<number> | undefined, wanted: Float64Array, what: string): void {
  expect(actual?.length, what).toBe(wanted.length);
  const scale = Math.max(...wanted.map(Math.abs));
  for (const [index, value] of wanted.entries())
    expect(Math.abs(Number(actual?.[index]) - value), `${what} ${index}`).toBeLessThan(2e-6 * scale);
}

describe('element scores in WebAssembly', () => {
  it('are those of plain loops in float64, at sizes that fill no tile', async () => {
    const { absolute, totals, raw } = await scores(undefined);
    for (const matrix of MATRICES) {
      const wanted = expected(matrix);
      const { name } = matrix;
      for (const [window, sums] of wanted.absolute.entries())
        close(absolute.get(name)?.[window], sums, `${name}, window ${window}`);
      for (const metric of ['elementFirst', 'elementSecond', 'elementMixed'] as const)
        close(totals.get(name)?.[metric], wanted.totals[metric], `${name} ${metric}`);
      close(raw.get(name)?.[0], wanted.first, `${name} first`);
      close(raw.get(name)?.[1], wanted.second, `${name} second`);
    }
  });

  it('are the same bits with helper threads and without', async () => {
    using runtime = await createNodeRuntime({ threads: 3 });
    expect(runtime.helpers?.count).toBe(2);
    const flat = ({ absolute, totals, raw }: Awaited<ReturnType<typeof scores>>) =>
      MATRICES.map(({ name }) =>
        [absolute.get(name), totals.get(name), raw.get(name)].map((values) =>
          JSON.stringify(values, (_, value) => (ArrayBuffer.isView(value) ? [...(value as Float32Array)] : value)),
        ),
      );
    expect(flat(await scores(runtime.helpers))).toEqual(flat(await scores(undefined)));
  });

  it('do without a thread that cannot start', async () => {
    const broken: HelperThreads = {
      count: 1,
      start: () => ({ send: () => Promise.reject(new Error('no')), end: () => undefined }),
    };
    expect((await scores(broken)).totals.get('even')).toEqual((await scores(undefined)).totals.get('even'));
  });

  it('come from a module that every engine with SIMD accepts, and that stays small', () => {
    for (const shared of [false, true]) {
      const bytes = elementScoresModule({ initial: 1, maximum: 100, shared });
      expect(WebAssembly.validate(bytes)).toBe(true);
      expect(bytes.length).toBeLessThan(4096);
    }
  });
});
