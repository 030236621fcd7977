// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CancelledError } from '../../errors.ts';
import type { Engine, ModelSource, ModelSummary } from '../../worker/engine.ts';
import { useModelChoice } from '../features/model/use-model-choice.ts';
import { useStudio } from '../store.ts';
import { fakeEngine } from '../testing/fake-engine.ts';
import { change, freshState, press, render, until } from '../testing/render.tsx';
import { useModel } from './use-engine.ts';

let engine: Engine;
vi.mock('./engine.ts', () => ({ studioEngine: async () => engine, backendChoice: () => 'wasm' }));

const nameOf = (source: ModelSource) =>
  source.kind === 'embedded' ? source.id : source.kind === 'hub' ? source.name : 'files';

/** An engine that opens models one after the other, each when it is let, whatever was cancelled meanwhile. */
function slowEngine() {
  const asked: string[] = [];
  const waiting = new Map<string, () => void>();
  let [open, opening] = ['', 0];
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <Result,>(task: () => Result | Promise<Result>): Promise<Result> => {
    const result = queue.then(task);
    queue = result.catch(() => undefined);
    return result;
  };
  let startBackend = () => {};
  const started = new Promise<void>((resolve) => {
    startBackend = resolve;
  });
  const known = fakeEngine();
  const made = fakeEngine({
    backend: async (choice) => {
      await started;
      return known.backend(choice);
    },
    lastOpening: () => inTurn(() => opening),
    openModel(source, { signal } = {}) {
      const name = nameOf(source);
      asked.push(name);
      const opened = inTurn(async (): Promise<ModelSummary> => {
        await new Promise<void>((resolve) => waiting.set(name, resolve));
        [open, opening] = [name, opening + 1];
        return { ...(await known.openModel(source)), name, opening };
      });
      // As calls to a worker do: who cancels does not wait for the worker.
      const cancelled = new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => reject(new CancelledError()), { once: true });
      });
      return Promise.race([opened, cancelled]);
    },
  });
  return {
    ...{ engine: made, asked, startBackend },
    open: () => open,
    /** Lets a model open that was asked for. */
    async let(name: string) {
      await until(() => expect(waiting.has(name)).toBe(true));
      waiting.get(name)?.();
      waiting.delete(name);
    },
  };
}

function Bench() {
  const { data: model } = useModel();
  const choose = useModelChoice();
  return (
    <>
      <output>{model?.name}</output>
      {['first/model', 'second/model'].map((name) => (
        <button key={name} type="button" onClick={() => choose({ kind: 'hub', name })}>
          {name}
        </button>
      ))}
    </>
  );
}

describe('models that are opened one after the other', () => {
  let page: Awaited<ReturnType<typeof render>>;
  let slow: ReturnType<typeof slowEngine>;
  const shown = () => page.element.querySelector('output')?.textContent;
  /** `stories` is open, and the first other model asked for. */
  const firstIsAsked = async () => {
    slow.startBackend();
    await slow.let('stories');
    await until(() => expect(shown()).toBe('stories'));
    await press(page.element, 'first/model');
    await until(() => expect(slow.asked).toContain('first/model'));
  };

  beforeEach(async () => {
    slow = slowEngine();
    engine = slow.engine;
    freshState();
    page = await render(<Bench />);
  });
  afterEach(() => page.end());

  it('opens what is chosen while the engine starts after the model that the page begins with', async () => {
    await press(page.element, 'first/model');
    slow.startBackend();
    await slow.let('stories');
    await slow.let('first/model');
    await until(() => expect(shown()).toBe('first/model'));
    expect(slow.asked).toEqual(['stories', 'first/model']);
    expect(slow.open()).toBe('first/model');
  });

  it('takes the last of two that are chosen while the first still opens, and opens it once', async () => {
    await firstIsAsked();
    await press(page.element, 'second/model');
    await slow.let('first/model');
    await slow.let('second/model');
    await until(() => expect(shown()).toBe('second/model'));
    expect(slow.asked).toEqual(['stories', 'first/model', 'second/model']);
    expect(slow.open()).toBe('second/model');
    expect(useStudio.getState().refusedModel).toBeUndefined();
  });

  it('puts away the text that the model before wrote, and keeps one that the reader gave', async () => {
    slow.startBackend();
    await slow.let('stories');
    const own = { kind: 'own', name: 'mine.txt', text: 'A text.' } as const;
    for (const [calibrationText, name] of [
      [own, 'first/model'],
      [{ ...own, ofModel: true }, 'second/model'],
    ] as const) {
      await change(({ setCalibration }) => setCalibration({ calibrationText }));
      await press(page.element, name);
      await slow.let(name);
      await until(() => expect(shown()).toBe(name));
      expect(useStudio.getState().calibrationText.kind).toBe(name === 'first/model' ? 'own' : 'embedded');
    }
  });

  it('opens the present model again where another was cancelled too late', async () => {
    await firstIsAsked();
    await change(() => page.client.cancelQueries({ queryKey: ['model'] }));
    await slow.let('first/model');
    await slow.let('stories');
    await until(() => expect(slow.open()).toBe('stories'));
    expect(shown()).toBe('stories');
    expect(slow.asked).toEqual(['stories', 'first/model', 'stories']);
  });
});
