// @vitest-environment happy-dom
import { expect, it, vi } from 'vitest';
import type { Engine } from '../../../worker/engine.ts';
import { fakeEngine } from '../../testing/fake-engine.ts';
import { change, freshState, press, render, until } from '../../testing/render.tsx';
import { DevicePage } from './page.tsx';
import { deviceMarkdown } from './report.ts';

const facts = {
  ...{ version: '1.0.0', backend: 'webgpu', description: 'WebGPU on nvidia hopper' },
  adapter: { name: 'NVIDIA H', vendor: 'nvidia', architecture: 'hopper', software: false, halfPrecision: true },
  ...{ limits: { maxBufferSize: 4294967296 }, features: ['shader-f16', 'subgroups'] },
  products: [{ format: 'f16' as const, rows: 128, size: 1024, gigaflops: 41234 }],
};
const engine: Engine = fakeEngine({ device: async () => facts });
vi.mock('../../data/engine.ts', () => ({ studioEngine: async () => engine, backendChoice: () => 'webgpu' }));

it('measures the device and gives a table to paste', async () => {
  freshState();
  const page = await render(<DevicePage />);
  expect(page.element.textContent).toBe('');
  await change(({ setBench }) => setBench({ deviceOpen: true }));
  await until(() => expect(page.element.querySelector('button.primary')?.hasAttribute('disabled')).toBe(false));
  await press(page.element, 'Measure');
  await until(() => expect(page.element.textContent).toContain('41,234'));
  expect(page.element.textContent).toContain('20% removed50.0 (45.0–55.0)50.0 (45.0–55.0)×1.30 (1.17–1.43)');
  expect(page.element.textContent).toContain('Half precisionyes');
  await page.end();
});

it('writes Markdown that renders', () => {
  const markdown = deviceMarkdown({
    ...{ date: '2026-11-29', model: undefined, speeds: [], facts },
    browser: { userAgent: 'A browser', cores: 8, isolated: false },
  });
  expect(markdown.split('\n')).toEqual([
    ...['| device |  |', '| --- | --- |', '| Computes on | WebGPU on nvidia hopper |', '| Adapter | NVIDIA H |'],
    ...['| Half precision | yes |', '| Features | shader-f16, subgroups |', '| maxBufferSize | 4,294,967,296 |'],
    ...['| Cores | 8, page not isolated |', '| Browser | A browser |', '| Espalier | 1.0.0, 2026-11-29 |', ''],
    ...['| product | rows | GFLOP/s |', '| --- | --- | --- |', '| f16, 1024 × 1024 | 128 | 41,234 |', ''],
  ]);
});
