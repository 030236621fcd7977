// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CancelledError, NetworkError } from '../../../errors.ts';
import type { Engine, ExportedModel, ExportRequest, PublishRequest } from '../../../worker/engine.ts';
import { useStudio } from '../../store.ts';
import { fakeEngine } from '../../testing/fake-engine.ts';
import { change, freshState, press, render, until } from '../../testing/render.tsx';
import { TakeAwayPanel } from './panel.tsx';

let engine: Engine;
vi.mock('../../data/engine.ts', () => ({ studioEngine: async () => engine, backendChoice: () => 'wasm' }));

const verification = {
  ...{ maxAbsoluteDifference: 1e-5, rootMeanSquareDifference: 1e-6, top1Agreement: 1 },
  ...{ positions: 256, klDivergence: 1e-7, source: 'text' as const },
};
const TOKEN = 'hf_typed_for_this_once';

/** A build of what was asked for. */
function built({ formats = ['onnx'] }: ExportRequest): ExportedModel {
  return {
    ...{ name: 'synthetic-pruned-20', archive: new Blob(['zip']), card: new Blob(['# card']) },
    files: [{ name: 'README.md', bytes: 6, content: new Blob(['# card']) }],
    formats: formats.map((format) => ({
      ...{ format, file: `model.${format}`, bytes: 100, type: 'F16', opens: `what opens ${format}`, notes: [] },
      verification,
    })),
    ...{ verification, perplexity: undefined },
  };
}

describe('taking a model away', () => {
  let page: Awaited<ReturnType<typeof render>>;
  let asked: ExportRequest[];
  let published: PublishRequest[];
  let fate: () => void;
  const field = (label: string) => {
    const found = [...page.element.querySelectorAll('label')].find((each) => each.textContent?.startsWith(label));
    return (found?.querySelector('input, select') ?? undefined) as HTMLInputElement | HTMLSelectElement | undefined;
  };
  const type = async (label: string, text: string) => {
    const input = field(label);
    if (!input) throw new Error(`There is no field ${label}.`);
    const prototype = input instanceof HTMLSelectElement ? HTMLSelectElement.prototype : HTMLInputElement.prototype;
    await act(async () => {
      Object.getOwnPropertyDescriptor(prototype, 'value')?.set?.call(input, text);
      input.dispatchEvent(new Event(input instanceof HTMLSelectElement ? 'change' : 'input', { bubbles: true }));
    });
  };
  const tick = (label: string) => act(async () => field(label)?.click());
  const says = (text: string | RegExp) => until(() => expect(page.element.textContent).toMatch(text));

  beforeEach(async () => {
    asked = [];
    published = [];
    fate = () => undefined;
    engine = fakeEngine({
      async export(_plan, request) {
        asked.push(request);
        return built(request);
      },
      async publish(request) {
        published.push(request);
        fate();
        return {
          url: 'https://hub/me/x',
          commit: 'c0ffee'.repeat(7),
          files: [{ name: 'README.md', bytes: 6 }],
          isNew: true,
        };
      },
    });
    freshState();
    page = await render(<TakeAwayPanel />);
    await says('Build and verify');
  });
  afterEach(() => page.end());

  it('shows what every shape costs before one is chosen, and takes the chosen one into the recipe', async () => {
    await until(() => expect(page.element.textContent?.match(/perplexity \d/g)?.length).toBeGreaterThanOrEqual(3));
    await tick('uniform');
    expect(useStudio.getState().recipe.shape).toBe('uniform');
    await change(({ changeRecipe }) => changeRecipe({ compensate: 'least-squares' }));
    await tick('standard');
    // Repairs add biases, and a standard shape has none.
    expect(useStudio.getState().recipe).toMatchObject({ shape: 'standard', compensate: 'none' });
    await tick('free');
    expect(useStudio.getState().recipe.shape).toBeUndefined();
  });

  it('measures shapes on request only, where nothing is measured by itself', async () => {
    await page.end();
    freshState();
    useStudio.setState({ autoMeasure: false });
    page = await render(<TakeAwayPanel />);
    await says('not measured yet');
    await press(page.element, 'Measure the three shapes');
    await until(() => expect(page.element.textContent?.match(/perplexity \d/g)?.length).toBeGreaterThanOrEqual(3));
  });

  it('builds the formats that are chosen, in their types, and tells of each that it was verified', async () => {
    await tick('GGUF');
    await tick('safetensors');
    await type('GGUF numbers', 'Q8_0');
    await type('safetensors numbers', 'bfloat16');
    await press(page.element, 'Build and verify');
    await says('what opens gguf');
    expect(asked[0]).toMatchObject({
      formats: ['onnx', 'safetensors', 'gguf'],
      ggufType: 'Q8_0',
      safetensorsType: 'bfloat16',
    });
    expect(page.element.textContent?.match(/Verified\./g)).toHaveLength(3);
  });

  it('builds nothing without a format', async () => {
    await tick('ONNX');
    await says('Choose a format');
    await press(page.element, 'Build and verify');
    expect(asked).toEqual([]);
  });

  it('publishes a build with a token that is kept nowhere', async () => {
    await press(page.element, 'Build and verify');
    await says('Publish on the Hugging Face hub');
    expect(field('Licence')?.value).toBe('mit');
    await type('Repository', 'me/synthetic-20');
    await type('Base model', 'org/synthetic');
    await type('Access token', TOKEN);
    await press(page.element, 'Publish synthetic-pruned-20');
    await says(/Published.*https:\/\/hub\/me\/x/);
    expect(published[0]).toMatchObject({
      ...{ repository: 'me/synthetic-20', token: TOKEN, isPrivate: true, licence: 'mit', baseModel: 'org/synthetic' },
      files: [{ name: 'README.md' }],
    });
    expect(field('Access token')?.value).toBe('');
    const mutations = page.client.getMutationCache().getAll();
    const kept = [useStudio.getState(), localStorage, mutations.map(({ state }) => state)];
    expect(JSON.stringify(kept)).not.toContain(TOKEN);
  });

  it('tells in one sentence why nothing was published', async () => {
    await press(page.element, 'Build and verify');
    await says('Publish on the Hugging Face hub');
    fate = () => {
      throw new NetworkError('The hub does not let this token write. Nothing was published.');
    };
    await type('Repository', 'me/x');
    await type('Access token', TOKEN);
    await press(page.element, 'Publish synthetic-pruned-20');
    await says('does not let this token write');
    fate = () => {
      throw new CancelledError();
    };
    await type('Access token', TOKEN);
    await press(page.element, 'Publish synthetic-pruned-20');
    await says('Cancelled: nothing was published');
  });
});
