import { afterEach, describe, expect, it } from 'vitest';
import { CancelledError, EspalierError, throwIfCancelled, UnsupportedError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { Progress } from '../progress.ts';
import { connectEngine } from './client.ts';
import type { Engine } from './engine.ts';
import { serveEngine } from './serve.ts';

const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

/** A client connected over a real message channel to an engine that only answers what a test gives it. */
function connect(answers: Partial<Engine>): Engine {
  const refuse = () => Promise.reject(new UnsupportedError('not asked in this test'));
  const engine: Engine = {
    backend: refuse,
    openModel: refuse,
    offer: refuse,
    stored: refuse,
    forget: refuse,
    score: refuse,
    windows: refuse,
    refine: refuse,
    fit: refuse,
    evaluate: refuse,
    task: refuse,
    keptTraining: refuse,
    forgetTraining: refuse,
    recover: refuse,
    speed: refuse,
    generate: refuse,
    export: refuse,
    ...answers,
  };
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  serveEngine(engine, port2);
  return connectEngine(port1);
}

const tick = () => new Promise((resolve) => setTimeout(resolve, 1));

describe('the boundary between page and engine', () => {
  it('hands arguments over and results back', async () => {
    const engine = connect({
      backend: async (choice) => ({ backend: 'wasm', description: choice, reason: 'chosen', checks: [] }),
    });
    expect(await engine.backend('wasm')).toEqual({
      backend: 'wasm',
      description: 'wasm',
      reason: 'chosen',
      checks: [],
    });
  });

  it('keeps the code and the sentence of an error', async () => {
    const engine = connect({
      openModel: () => Promise.reject(new UnsupportedError("Architecture 'mamba' is not supported; supported: llama.")),
    });
    const error = await engine.openModel({ kind: 'embedded', id: 'stories' }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(EspalierError);
    expect(error).toMatchObject({
      code: 'unsupported',
      message: "Architecture 'mamba' is not supported; supported: llama.",
    });
  });

  it('passes progress on in order, and tokens while they come', async () => {
    const engine = connect({
      generate: async (_plan, request, options) => {
        for (let step = 1; step <= 3; step += 1) {
          options?.onToken?.({ id: step, text: `${request.prompt}${step}`, probability: 1 });
          options?.onProgress?.({ stage: 'generating', completed: step, total: 3, unit: 'tokens' });
          await tick();
        }
        return {
          text: 'abc',
          tokenIds: [1, 2, 3],
          promptTokens: 1,
          timeToFirstToken: 0,
          prefillTokensPerSecond: 1,
          decodeTokensPerSecond: 1,
        };
      },
    });
    const tokens: string[] = [];
    const progress: Progress[] = [];
    await engine.generate(
      null,
      { prompt: 'p', maxNewTokens: 3, temperature: 0, seed: 0, chat: false },
      { onToken: ({ text }) => tokens.push(text), onProgress: (event) => progress.push(event) },
    );
    expect(tokens).toEqual(['p1', 'p2', 'p3']);
    expect(progress.map(({ completed }) => completed)).toEqual([1, 2, 3]);
  });

  it('passes finished items of a task on', async () => {
    const engine = connect({
      task: async (_plan, { task }, options) => {
        options?.onItems?.([{ item: 0, logLikelihoods: [-1, -2] }]);
        return task.items.map(() => [-1, -2]);
      },
    });
    const heard: unknown[] = [];
    const task = { name: 'quiz', items: [{ query: 'Q', choices: ['a', 'b'], gold: 0 }] };
    const result = await engine.task(
      null,
      { task, through: 'blocks', finished: [] },
      { onItems: (items) => heard.push(...items) },
    );
    expect(result).toEqual([[-1, -2]]);
    expect(heard).toEqual([{ item: 0, logLikelihoods: [-1, -2] }]);
  });

  it('delivers every token before the result', async () => {
    const count = 200;
    const engine = connect({
      generate: async (_plan, _request, options) => {
        for (let id = 0; id < count; id += 1) options?.onToken?.({ id, text: '', probability: 1 });
        return {
          text: '',
          tokenIds: [],
          promptTokens: 1,
          timeToFirstToken: 0,
          prefillTokensPerSecond: 1,
          decodeTokensPerSecond: 1,
        };
      },
    });
    let heard = 0;
    await engine.generate(
      null,
      { prompt: '', maxNewTokens: count, temperature: 0, seed: 0, chat: false },
      { onToken: () => (heard += 1) },
    );
    expect(heard).toBe(count);
  });

  it('rejects at once when cancelled, and stops the worker', async () => {
    let stopped = false;
    const engine = connect({
      evaluate: async (_plan, _request, options) => {
        try {
          for (;;) {
            throwIfCancelled(options?.signal);
            await tick();
          }
        } finally {
          stopped = true;
        }
      },
    });
    const controller = new AbortController();
    const measuring = engine.evaluate(null, { text: '', windows: 1, length: 8 }, { signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    await expect(measuring).rejects.toBeInstanceOf(CancelledError);
    for (let wait = 0; wait < 100 && !stopped; wait += 1) await tick();
    expect(stopped).toBe(true);
  });

  it('waits for a recovery that is cancelled: it gives the best so far', async () => {
    const step = {
      stage: 'recovery',
      completed: 1,
      total: 9,
      unit: 'steps',
      step: 1,
      steps: 9,
      loss: 2,
      heldOutLoss: undefined,
      heldOutBefore: 3,
    } as const;
    const result = {
      recovered: 1,
      history: [],
      heldOutBefore: 3,
      heldOutAfter: 2,
      bestStep: 1,
      steps: 1,
      stoppedBecause: 'cancelled',
    } as const;
    const engine = connect({
      recover: async (_plan, _request, options) => {
        options?.onStep?.({ ...step, learningRate: 0.1, tokensPerSecond: 5, secondsLeft: 2 });
        while (!options?.signal?.aborted) await tick();
        return { ...result, adapterParameters: 4, trainedTokens: 0, tokensPerSecond: 5, seconds: 1, notes: [] };
      },
    });
    const controller = new AbortController();
    const losses: (number | undefined)[] = [];
    const request = {
      text: '',
      length: 8,
      method: 'lora',
      bits: 4,
      steps: 9,
      batchWindows: 1,
      learningRate: 0.1,
      seed: 0,
    } as const;
    const recovering = engine.recover({} as Plan, request, {
      signal: controller.signal,
      onStep: ({ loss }) => losses.push(loss),
    });
    setTimeout(() => controller.abort(), 5);
    expect(await recovering).toMatchObject({ recovered: 1, stoppedBecause: 'cancelled' });
    expect(losses).toEqual([2]);
  });

  it('does not call the worker when the signal has fired already', async () => {
    const engine = connect({});
    await expect(
      engine.openModel({ kind: 'embedded', id: 'stories' }, { signal: AbortSignal.abort() }),
    ).rejects.toBeInstanceOf(CancelledError);
  });
});
