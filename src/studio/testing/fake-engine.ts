import { CancelledError, MissingError } from '../../errors.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Engine, GeneratedToken, Generating, PerplexityMeasurement } from '../../worker/engine.ts';

/** What was asked of a fake engine: calls by name with what they were about. */
export interface Asked {
  readonly call: string;
  /** Of the plan; 0 is the dense model. */
  readonly ratio: number;
}

const WORDS = { dense: [' loved', ' the', ' garden'], pruned: [' loved', ' a', ' wall'] } as const;

/** Perplexity that the fake engine measures at a ratio. */
export function fakePerplexity(ratio: number): number {
  return 4 * Math.exp(2 * ratio);
}

/** An engine that answers at once, without a model: texts of three words, a perplexity that grows with the ratio. What it does not know rejects. */
export function fakeEngine(overrides: Partial<Engine> = {}): Engine & { readonly asked: Asked[] } {
  const asked: Asked[] = [];
  const note = (call: string, plan: Plan | null) => asked.push({ call, ratio: plan?.ratio ?? 0 });
  const known: Partial<Engine> = {
    backend: async () => ({
      backend: 'wasm',
      description: 'WebAssembly, 2 threads',
      reason: undefined,
      checks: [],
      lacks: [],
    }),
    openModel: async () => ({
      ...{ name: 'synthetic', architecture: 'llama', licence: 'mit', parameters: 1_000_000, bytes: 2_000_000 },
      ...{ vocabulary: 64, hiddenSize: 64, maximumPositions: 512, chat: false, layers: [], opening: 1 },
    }),
    async evaluate(plan, _request, options = {}): Promise<PerplexityMeasurement> {
      note('evaluate', plan);
      if (options.signal?.aborted) throw new CancelledError();
      const perplexity = fakePerplexity(plan?.ratio ?? 0);
      const measured = { perplexity, standardError: 0.1, tokens: 127, windows: 1, seconds: 0.1 };
      return plan === null ? measured : { ...measured, klDivergence: plan.ratio, klStandardError: 0.01 };
    },
    async generate(plan, _request, options: Generating = {}) {
      note('generate', plan);
      const words = WORDS[plan === null ? 'dense' : 'pruned'];
      for (const [index, text] of words.entries()) {
        await Promise.resolve();
        if (options.signal?.aborted) throw new CancelledError();
        const token: GeneratedToken = { id: plan === null ? index : 2 * index, text, probability: 0.5 };
        options.onToken?.(token);
      }
      return {
        ...{ text: words.join(''), tokenIds: [], promptTokens: 4 },
        ...{ timeToFirstToken: 0.05, prefillTokensPerSecond: 100, decodeTokensPerSecond: 50 },
      };
    },
    async speed(plan) {
      note('speed', plan);
      const about = (value: number) => ({ value, low: 0.9 * value, high: 1.1 * value });
      const model = { prefill: about(200), decode: about(50), bytes: 1_000_000 };
      return {
        ...{ dense: model, pruned: model, prefill: about(1.3), decode: about(1.3) },
        ...{ rounds: 8, promptTokens: 64, seconds: 1 },
      };
    },
    stored: async () => [],
    keptTraining: async () => null,
    ...overrides,
  };
  const engine = new Proxy(known, {
    get: (target, name) =>
      Reflect.get(target, name) ??
      (name === 'then' ? undefined : () => Promise.reject(new MissingError(`The fake engine has no ${String(name)}.`))),
  });
  return Object.assign(engine as Engine, { asked });
}
