import { wrap } from 'comlink';
import { afterEach, describe, expect, it } from 'vitest';
import { CancelledError, DeviceError, EspalierError, throwIfCancelled, UnsupportedError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { Progress } from '../progress.ts';
import type { Engine } from './engine.ts';
import { type Callable, connect, type Server, serve } from './rpc.ts';

const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

function channel() {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  return { page: port1, worker: port2 };
}

/** A page's engine, over a real message channel, whose worker has only the calls of a test. */
function connected(calls: Partial<Engine>): Engine {
  const { page, worker } = channel();
  serve(calls as Engine, worker);
  return connect<Engine>(page);
}

const tick = () => new Promise((resolve) => setTimeout(resolve, 1));

describe('the boundary between page and engine', () => {
  it('hands arguments over and results back', async () => {
    const engine = connected({
      backend: async (choice) => ({ backend: 'wasm', description: choice, reason: 'chosen', checks: [], lacks: [] }),
    });
    expect(await engine.backend('wasm')).toEqual({
      backend: 'wasm',
      description: 'wasm',
      reason: 'chosen',
      checks: [],
      lacks: [],
    });
  });

  it('keeps the code and the sentence of an error', async () => {
    const engine = connected({
      openModel: () => Promise.reject(new UnsupportedError("Architecture 'mamba' is not supported; supported: llama.")),
    });
    const error = await engine.openModel({ kind: 'embedded', id: 'stories' }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(EspalierError);
    expect(error).toMatchObject({
      code: 'unsupported',
      message: "Architecture 'mamba' is not supported; supported: llama.",
    });
  });

  it('tells a result that is no number, by its name, and lets infinity and typed arrays pass', async () => {
    type Figures = { readonly measure: (perplexity: number) => Promise<unknown> };
    const { page, worker } = channel();
    const logits = Float32Array.of(Number.NaN);
    serve<Figures>({ measure: async (perplexity) => ({ texts: [{ perplexity }], logits }) }, worker);
    const engine = connect<Figures>(page);
    expect(await engine.measure(Number.POSITIVE_INFINITY)).toMatchObject({ logits });
    await expect(engine.measure(Number.NaN)).rejects.toThrow('result "measure.texts[0].perplexity" is no number');
  });

  it('passes progress on in order, and tokens while they come', async () => {
    const engine = connected({
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
    const engine = connected({
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
    const engine = connected({
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
    const engine = connected({
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
      loss: 'text',
    } as const;
    const engine = connected({
      recover: async (_plan, _request, options) => {
        options?.onStep?.({ ...step, learningRate: 0.1, tokensPerSecond: 5, secondsLeft: 2 });
        while (!options?.stop?.aborted) await tick();
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
      stop: controller.signal,
      onStep: ({ loss }) => losses.push(loss),
    });
    setTimeout(() => controller.abort(), 5);
    expect(await recovering).toMatchObject({ recovered: 1, stoppedBecause: 'cancelled' });
    expect(losses).toEqual([2]);
  });

  it('does not call the worker when the signal has fired already', async () => {
    const engine = connected({});
    await expect(
      engine.openModel({ kind: 'embedded', id: 'stories' }, { signal: AbortSignal.abort() }),
    ).rejects.toBeInstanceOf(CancelledError);
  });

  it('carries calls, signals and callbacks of any name: none is listed anywhere', async () => {
    const service = {
      async weigh(
        fruit: { readonly grams: number },
        {
          unit,
          onHalf,
          enough,
        }: { unit: string; onHalf?: (grams: number, unit: string) => void; enough?: AbortSignal },
      ) {
        onHalf?.(fruit.grams / 2, unit);
        while (enough && !enough.aborted) await tick();
        return `${fruit.grams} ${unit}`;
      },
    };
    const { page, worker } = channel();
    serve(service, worker);
    const halves: unknown[] = [];
    const controller = new AbortController();
    const onHalf = (...values: unknown[]) => {
      halves.push(values);
      controller.abort();
    };
    const options = { unit: 'g', onHalf, enough: controller.signal };
    expect(await connect<typeof service>(page).weigh({ grams: 8 }, options)).toBe('8 g');
    expect(halves).toEqual([[4, 'g']]);
  });

  it('forgets a call that is over: what is aborted later does not reach its signal', async () => {
    let seen: AbortSignal | undefined;
    const { page, worker } = channel();
    const calls: Pick<Engine, 'evaluate'> = {
      async evaluate(_plan, _request, options) {
        seen = options?.signal;
        return { perplexity: 1, standardError: 0, tokens: 1, windows: 1, seconds: 0 };
      },
    };
    serve(calls, worker);
    const server = wrap<Server>(page);
    const request = { text: '', windows: 1, length: 8 };
    await server.call(
      7,
      { name: 'evaluate', args: [null, request, {}], signals: ['signal'], callbacks: [] },
      undefined,
    );
    await server.abort(7, 'signal');
    expect(seen?.aborted).toBe(false);
  });

  it('says so when the other side is of another version', async () => {
    await expect(connected({}).stored()).rejects.toThrow('The engine has no call "stored"');
    const inherited = connected({}) as unknown as Callable<Record<string, never>> & { toString(): Promise<unknown> };
    await expect(inherited.toString()).rejects.toThrow('no call "toString"');
  });

  it('rejects what is open and what comes later when the other side cannot be loaded', async () => {
    const { page } = channel();
    let fail: (error: Error) => void = () => undefined;
    const engine = connect<Engine>(
      page,
      new Promise<never>((_, reject) => {
        fail = reject;
      }),
    );
    const open = engine.stored();
    fail(new DeviceError('The engine could not be loaded.'));
    await expect(open).rejects.toThrow('could not be loaded');
    await expect(engine.backend('auto')).rejects.toThrow('could not be loaded');
  });

  it('is no promise, so that it can be returned from an asynchronous function', async () => {
    const engine = connected({ stored: async () => [] });
    expect(await (await Promise.resolve(engine)).stored()).toEqual([]);
  });
});
