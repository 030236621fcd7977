import { afterEach, describe, expect, test } from 'vitest';
import { gpuMarkdown } from '../bench/gpu/gpu-report.ts';
import { startPeer } from '../bench/peers/peer-process.ts';

describe('the report of npm run gpu', () => {
  const known = (value) => ({ value, low: value * 0.9, high: value * 1.1 });
  const dispatches = { MatMul: 30, LayerNorm: 13 };
  const report = {
    ...{ date: '2026-11-29', version: '1.0.0', node: 'v22.0.0', quick: true, seconds: 61.2 },
    device: {
      ...{ backend: 'webgpu', description: 'WebGPU on a card', features: ['shader-f16'] },
      adapter: { name: 'Card 1', vendor: '', architecture: '', software: false, halfPrecision: true },
      limits: { maxBufferSize: 4294967296 },
    },
    products: [{ format: 'f16', rows: 128, size: 2048, gigaflops: 41234.5 }],
    model: { name: 'stories', layers: 6 },
    scoring: [{ precision: 'f16', tokens: 2048, seconds: 4, forwardSeconds: 1 }],
    decoding: [
      {
        ...{ format: 'f32', share: 0, bytes: 2 ** 24, prefill: known(1000), decode: known(100) },
        ...{ over: undefined, dispatches },
      },
      {
        ...{ format: 'f32', share: 0.5, bytes: 2 ** 23, prefill: known(1500), decode: known(150) },
        ...{ over: { prefill: known(1.5), decode: known(1.5) }, dispatches },
      },
    ],
    peers: [
      { format: 'f32', result: { name: 'theirs 1', decode: 1.25, prefill: 0.9, sameTokens: 8, tokens: 8 } },
      { format: 'q4', result: { failure: 'theirs did not run' } },
    ],
  };

  test('has a row for every measurement', () => {
    const lines = gpuMarkdown(report).split('\n');
    for (const line of [
      '| Adapter | Card 1 |',
      '| maxBufferSize | 4,294,967,296 |',
      '| Espalier | 1.0.0, 2026-11-29, quick, 61 s |',
      '| f16 | 128 | 41,235 |',
      '| f16 | 2048 | 512 | ×4.00 |',
      // 43 dispatches of 10 ms: 16.8 MB a hundred times a second.
      '| f32 | 0% | 16.0 | 1,000 (900–1,100) | 100 (90.0–110) |  |  | 1.68 | 43 | 7.2 | 233 |',
      '| f32 | 50% | 8.0 | 1,500 (1,350–1,650) | 150 (135–165) | ×1.50 (1.35–1.65) | ×2.00 | 1.26 | 43 | 7.2 | 155 |',
      '| LayerNorm | 13 |',
      '| f32, theirs 1 | ×1.25 | ×0.90 | 8 of 8 |',
      '| q4 | theirs did not run |  |  |',
    ])
      expect(lines).toContain(line);
  });

  test('has as many cells in every row as in its head', () => {
    for (const block of gpuMarkdown(report)
      .split('\n\n')
      .filter((text) => text.startsWith('|'))) {
      const cells = block
        .trim()
        .split('\n')
        .map((row) => row.split(' | ').length);
      expect(new Set(cells).size).toBe(1);
    }
  });
});

test('a report has no table of what was not measured', () => {
  const device = { backend: 'webgpu', description: 'a card', adapter: undefined, limits: {}, features: [] };
  const nothing = { products: [], scoring: [], decoding: [], peers: [] };
  const report = {
    date: '2026-11-29',
    version: '1.0.0',
    node: 'v22.0.0',
    quick: false,
    seconds: 1,
    device,
    ...nothing,
  };
  const lines = gpuMarkdown({ ...report, model: { name: 'stories', layers: 6 } })
    .trim()
    .split('\n');
  expect(lines.map((line) => line.split(' | ')[0])).toEqual([
    ...['| device', '| ---', '| Adapter', '| Half precision', '| Features', '| Node', '| Espalier'],
  ]);
});

describe('a program that is measured beside ours', () => {
  const peers = [];
  afterEach(() => {
    for (const peer of peers.splice(0)) peer[Symbol.dispose]();
  });
  const started = async (body) => {
    const peer = await startPeer(process.execPath, [
      '--input-type=module',
      '--eval',
      `import { createInterface } from 'node:readline';
      const say = (line) => console.log(JSON.stringify(line));
      console.log('words of a library');
      ${body}`,
    ]);
    peers.push(peer);
    return peer;
  };

  test('says its name, then answers lap by lap', async () => {
    const peer = await started(`
      say({ name: 'other 1' });
      for await (const line of createInterface({ input: process.stdin })) {
        const { prompt, newTokens } = JSON.parse(line);
        say({ times: Array.from({ length: newTokens }, (_, index) => 20 + 10 * index), tokens: Array(newTokens).fill(prompt[0]) });
      }`);
    expect(peer.name).toBe('other 1');
    for (const token of [7, 8])
      expect(await peer.lap([token], 3)).toEqual({
        prefill: 20,
        decode: 10,
        fastest: 10,
        tokens: [token, token, token],
      });
  });

  test('that ends gives its last words', async () => {
    await expect(started(`console.error('no model here'); process.exit(3);`)).rejects.toThrow(
      /ended \(3\): no model here/,
    );
    const peer = await started(`say({ name: 'other 2' }); process.stdin.once('data', () => process.exit(4));`);
    await expect(peer.lap([1], 1)).rejects.toThrow(/ended \(4\)/);
  });

  test('that fails says why', async () => {
    const peer = await started(
      `say({ name: 'other 3' }); process.stdin.once('data', () => say({ error: 'too long' }));`,
    );
    await expect(peer.lap([1], 1)).rejects.toThrow('too long');
  });
});
