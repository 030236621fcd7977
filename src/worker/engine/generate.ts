import { DeviceLostError } from '../../errors.ts';
import { reopenElsewhere } from '../../generate/reopen.ts';
import type { SamplingOptions } from '../../generate/sampling.ts';
import { generate } from '../../library/generate.ts';
import { type SampleOptions, sampleOn } from '../../library/sample.ts';
import type { Plan } from '../../plan/plan.ts';
import type { LongRunning } from '../../progress.ts';
import type { Bench } from './bench.ts';
import type { Repair } from './repaired-models.ts';

export interface GenerateRequest extends Pick<SamplingOptions, 'topK' | 'topP' | 'repetitionPenalty'> {
  readonly prompt: string;
  readonly maxNewTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly seed: number;
  /** Put the prompt into the model's chat template. */
  readonly chat: boolean;
  readonly repair?: Repair | undefined;
}

/** One generated token, as it arrives. */
export interface GeneratedToken {
  readonly id: number;
  readonly text: string;
  /** What the model gave it, before temperature. */
  readonly probability: number;
}

export interface Generation {
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly promptTokens: number;
  /** Seconds. */
  readonly timeToFirstToken: number;
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  /** What happened on the way, in sentences: a model that was freed to make room, a device that was lost and replaced. */
  readonly notes?: readonly string[];
}

/** Options of a generation: tokens as they come. */
export interface Generating extends LongRunning {
  readonly onToken?: ((token: GeneratedToken) => void) | undefined;
}

/** How much of its own text a model is to write. */
export type SampleRequest = Pick<SampleOptions, 'windows' | 'length' | 'seed'>;

export interface GenerateCalls {
  generate(plan: Plan | null, request: GenerateRequest, options?: Generating): Promise<Generation>;
  /** Text that the dense model writes itself, its pieces one after the other. */
  sample(request: SampleRequest, options?: LongRunning): Promise<string>;
}

export function generateCalls(bench: Bench): GenerateCalls {
  const { platform, models, notes } = bench;
  return {
    generate: (plan, { prompt, maxNewTokens, seed, chat, repair, ...sampling }, options = {}) => {
      let shown = 0;
      const write = async () => {
        const decoder = await bench.decoderOf(plan, repair, options);
        const { maximumPositions } = bench.model;
        const { finish: _finish, ...generation } = await generate(
          { decoder, tokenizer: () => bench.model.tokenizer(), maximumPositions },
          {
            prompt: chat ? [{ role: 'user', content: prompt }] : prompt,
            ...{ ...sampling, maxNewTokens, seed, signal: options.signal },
            onToken({ tokenId, text, probability }) {
              shown += 1;
              options.onToken?.({ id: tokenId, text, probability });
            },
            async reopen(fault) {
              if (!(fault instanceof DeviceLostError))
                return models.use(plan, repair, options, (open) =>
                  reopenElsewhere(open.model, platform.createRuntime, options)(fault),
                );
              await bench.replaceDevice();
              return { decoder: await bench.decoderOf(plan, repair, options), owned: false };
            },
            onRecovered: (sentence) => notes.push(sentence),
          },
        );
        const happened = notes.splice(0);
        return happened.length === 0 ? generation : { ...generation, notes: happened };
      };
      return bench.heavy(write, options, () => shown === 0);
    },

    sample: (request, options = {}) =>
      bench.heavy(async () => {
        const decoder = await bench.decoderOf(null, undefined, options);
        const texts = await sampleOn(decoder, bench.model, { ...request, ...options });
        return texts.map(({ text }) => text).join('\n\n');
      }, options),
  };
}
