import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forwardBlocks } from '../../architecture/forward.ts';
import { randomLlama } from '../../export/testing/random-llama.ts';
import { parseMethod } from '../../plan/methods/methods.ts';
import { seededRandom } from '../../random.ts';
import { createNodeRuntime } from '../../runtime/node.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { OpenModel } from '../open-model.ts';
import { score } from '../score.ts';
import { cellKey, compare } from './compare.ts';
import { comparisonMetrics } from './comparison-metrics.ts';
import { comparisonCsv, comparisonMarkdown, summariseRows } from './comparison-table.ts';
import { replaceBlocks, replaceMePlan } from './replace-me.ts';
import type { ComparisonRow } from './types.ts';

const random = seededRandom(3);
const window = () => Int32Array.from({ length: 16 }, () => Math.floor(random() * 64));
const calibrationWindows = Array.from({ length: 6 }, window);
const texts = [{ name: 'drawn tokens', windows: Array.from({ length: 4 }, window) }];
const methods = ['saap', 'llm-pruner-element-first', 'flap+bias', 'saap+least-squares', 'magnitude-l2', 'random'];

let runtime: Runtime;
let open: OpenModel;
let scored = 0;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
  open = new OpenModel(
    runtime,
    randomLlama({ layers: 4, neurons: 96, queryHeads: 8, keyValueHeads: 4, headDimension: 8 }),
  );
});
afterAll(() => {
  open.dispose();
  runtime.dispose();
});

const calibrate = async (seed: number) => {
  scored++;
  const { scores } = await score(open, {
    windows: calibrationWindows,
    calibration: { source: 'drawn', sha256: '0'.repeat(64), seed },
  });
  return { seed, scores, compensationWindows: calibrationWindows, windows: calibrationWindows };
};

describe('compare', () => {
  it('needs the fast metrics alone where no method plans by others, and prunes as with all of them', async () => {
    const fast = ['saap-kronecker', 'surgeon', 'saap-surgeon', 'random'];
    const metrics = comparisonMetrics(fast.map(parseMethod));
    expect(metrics).toEqual(['kronecker', 'fisher']);
    for (const other of ['saap', 'llm-pruner-vector', 'flap', 'depth', 'slimllm', 'replace-me', 'saap-measured'])
      expect(comparisonMetrics([...fast, other].map(parseMethod))).toBeUndefined();
    const byFast = async (seed: number) => {
      const all = await calibrate(seed);
      const calibration = { source: 'drawn', sha256: '0'.repeat(64), seed };
      const { scores } = await score(open, { windows: calibrationWindows, calibration, ...(metrics && { metrics }) });
      return { ...all, scores };
    };
    const cells = { methods: fast, ratios: [0.3], seeds: [0], texts };
    const perplexities = async (how: typeof calibrate) =>
      (await compare(open, { ...cells, calibrate: how })).map(({ perplexity }) => perplexity);
    expect(await perplexities(byFast)).toEqual(await perplexities(calibrate));
  });

  it('prunes every method by the same number of parameters, to within one group', async () => {
    const before = scored;
    const rows = await compare(open, { methods, ratios: [0.3], seeds: [0], texts, calibrate });
    expect(rows.map(({ method }) => method)).toEqual(['dense', ...methods]);
    const neuron = 3 * open.config.hiddenSize;
    const removed = rows.slice(1).map((row) => row.removedParameters);
    expect(Math.max(...removed) - Math.min(...removed)).toBeLessThanOrEqual(neuron);
    for (const row of rows) expect(row.perplexity).toBeGreaterThan(1);
    expect(scored).toBe(before + 1);
  });

  it('takes methods that look at the model itself, and computes what they see once for all ratios', async () => {
    const names = ['surgeon', 'saap-surgeon', 'saap-kronecker', 'slimllm', 'slimllm+regression'];
    const rows = await compare(open, { methods: names, ratios: [0.3, 0.5], seeds: [0], texts, calibrate });
    expect(rows.map(({ method }) => method)).toEqual(['dense', ...names.flatMap((name) => [name, name])]);
    for (const row of rows.slice(1)) {
      expect(Math.abs(row.reachedRatio - row.ratio)).toBeLessThan(0.005);
      expect(row.klDivergence).toBeGreaterThan(0);
    }
    const { windows: _, ...without } = await calibrate(0);
    await expect(
      compare(open, { methods: ['surgeon'], ratios: [0.3], seeds: [0], texts, calibrate: async () => without }),
    ).rejects.toThrow('surgeon works on the model itself');
  });

  it('replaces consecutive blocks by a linear map, which leaves the model nearer to the dense one', async () => {
    const before = runtime.statistics().liveTensors;
    const rows = await compare(open, { methods: ['replace-me'], ratios: [0.5], seeds: [0], texts, calibrate });
    expect(rows[1]).toMatchObject({ method: 'replace-me', reachedRatio: 0.5 });
    expect(runtime.statistics().liveTensors).toBe(before);
    const { scores } = await calibrate(0);
    const plan = { target: { kind: 'ratio', value: 0.5 }, metric: 'replace-me', search: 'depth' } as const;
    const { layers } = await replaceMePlan(open, scores, calibrationWindows, 0.5, plan, {});
    expect(layers[0]?.mlp.length).toBe(96);
    const gaps = layers.flatMap(({ mlp }, layer) => (mlp.length === 0 ? [layer] : []));
    expect((gaps[1] ?? 0) - (gaps[0] ?? 0)).toBe(1);
    const distance = async (model: OpenModel) => {
      const [dense] = await forwardBlocks(open.programs, open.store, [calibrationWindows], {
        layers: (gaps[1] ?? 0) + 1,
      });
      const [pruned] = await forwardBlocks(model.programs, model.store, [calibrationWindows], { layers: gaps[0] ?? 0 });
      if (!dense || !pruned) throw new Error('no states');
      const [a, b] = [await runtime.read(dense), await runtime.read(pruned)];
      dense.dispose();
      pruned.dispose();
      const [x, y] = [a.data as Float32Array, b.data as Float32Array];
      return x.reduce((sum, value, index) => sum + (value - (y[index] ?? 0)) ** 2, 0);
    };
    using cut = open.pruned(layers);
    using repaired = await replaceBlocks(open, layers, calibrationWindows, {});
    expect(await distance(repaired)).toBeLessThan(await distance(cut));
  });

  it('measures one plan once, and takes finished cells as they are', async () => {
    const rows = await compare(open, { methods: ['magnitude-l2'], ratios: [0.3], seeds: [0, 1], texts, calibrate });
    expect(rows[1]?.perplexity).toBe(rows[2]?.perplexity);
    const kept = new Map<string, ComparisonRow>(
      rows.map((row) => [cellKey(row.method, row.ratio, row.seed), { ...row, perplexity: 7 }]),
    );
    const fresh: string[] = [];
    const again = await compare(open, {
      methods: ['magnitude-l2'],
      ratios: [0.3, 0.5],
      seeds: [1],
      texts,
      calibrate,
      finished: kept,
      onRow: (key) => void fresh.push(key),
    });
    expect(again.map((row) => row.perplexity === 7)).toEqual([true, true, false]);
    expect(fresh).toEqual([cellKey('magnitude-l2', 0.5, 1)]);
  });

  it('leaves no tensor of a pruned model on the device', async () => {
    const before = runtime.statistics().liveTensors;
    await compare(open, { methods: ['saap+bias'], ratios: [0.4], seeds: [0], texts, calibrate });
    expect(runtime.statistics().liveTensors).toBe(before);
  });
});

describe('compare with recovery', () => {
  const examples = Array.from({ length: 6 }, () => ({ tokens: window() }));
  const training = { examples, heldOut: examples, steps: 6, batchWindows: 2, learningRate: 0.02, warmupSteps: 1 };

  it('trains what a name says after pruning, to a lower loss, and says how it went', async () => {
    const before = runtime.statistics().liveTensors;
    const names = ['saap', 'saap+lora', 'saap+bias+group-wise'];
    const learnt = [{ name: 'learnt', windows: examples.map(({ tokens }) => tokens) }];
    const rows = await compare(open, { methods: names, ratios: [0.4], seeds: [1], texts: learnt, calibrate, training });
    const [dense, pruned, lora, groupWise] = rows;
    expect([dense?.recovery, pruned?.recovery]).toEqual([undefined, undefined]);
    expect(lora?.recovery).toMatchObject({ method: 'lora', steps: 6, trainedTokens: 6 * 2 * 16 });
    expect(groupWise?.recovery).toMatchObject({ method: 'group-wise', steps: 6 });
    expect(lora?.perplexity).toBeLessThan(pruned?.perplexity ?? 0);
    expect(lora?.recovery?.heldOutBefore).toBeCloseTo(Math.log(pruned?.perplexity ?? 0), 4);
    expect(lora?.recovery?.heldOutAfter).toBeCloseTo(Math.log(lora?.perplexity ?? 0), 4);
    expect([lora?.parameters, groupWise?.removedParameters]).toEqual([pruned?.parameters, pruned?.removedParameters]);
    expect(comparisonCsv(rows).split('\n')[3]).toContain(`,6,${lora?.recovery?.bestStep},192,`);
    expect(runtime.statistics().liveTensors).toBe(before);
  });

  it('trains by the divergence from the dense model where that is asked for', async () => {
    const learnt = [{ name: 'learnt', windows: examples.map(({ tokens }) => tokens) }];
    const of = async (loss: 'text' | 'kl') => {
      const distilled = { ...training, loss };
      const options = { ratios: [0.4], seeds: [1], texts: learnt, calibrate, training: distilled };
      return (await compare(open, { methods: ['saap+lora'], ...options }))[1];
    };
    const [text, kl] = [await of('text'), await of('kl')];
    expect(kl?.klDivergence).toBeLessThan(text?.klDivergence ?? 0);
    expect(kl?.perplexity).toBeGreaterThan(text?.perplexity ?? 0);
  });

  it('refuses a recovery without anything to learn before any work', async () => {
    const before = scored;
    await expect(
      compare(open, { methods: ['saap', 'saap+lora'], ratios: [0.4], seeds: [0], texts, calibrate }),
    ).rejects.toThrow('saap+lora is trained after pruning');
    expect(scored).toBe(before);
  });

  it('measures no perplexity where there is no text', async () => {
    const rows = await compare(open, { methods: ['magnitude-l2'], ratios: [0.4], seeds: [0], texts: [], calibrate });
    expect(JSON.stringify(rows)).not.toMatch(/null|perplexity/);
    expect(comparisonMarkdown(rows).split('\n')[0]).toBe('| removed | method | parameters |');
  });
});

describe('the table of a comparison', () => {
  const row = (method: string, seed: number, perplexity: number): ComparisonRow => ({
    method,
    ratio: method === 'dense' ? 0 : 0.2,
    seed,
    reachedRatio: method === 'dense' ? 0 : 0.2,
    parameters: 1000,
    removedParameters: 0,
    texts: { 'a,b.txt': { perplexity, standardError: 1, tokens: 10 } },
    perplexity,
    standardError: 1,
    seconds: 1,
  });
  const rows = [row('dense', 0, 10), row('random', 0, 40), row('saap', 0, 18), row('saap', 1, 22)];

  it('averages seeds and tells their spread', () => {
    const saap = summariseRows(rows).find(({ method }) => method === 'saap');
    expect(saap).toMatchObject({ seeds: 2, texts: { 'a,b.txt': { mean: 20, spread: 2 } } });
  });

  it('orders methods within a ratio by the first text and quotes names in CSV', () => {
    const lines = comparisonMarkdown(rows).trim().split('\n');
    expect(lines.slice(2).map((line) => line.split('|')[2]?.trim())).toEqual(['dense', 'saap', 'random']);
    expect(lines[3]).toContain('20.00 ± 2.00');
    expect(comparisonCsv(rows).split('\n')[0]).toContain('"a,b.txt perplexity"');
  });
});
