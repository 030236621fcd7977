import { type MeasuredVocabulary, measureVocabulary } from '../../library/vocabulary-cost.ts';
import type { Plan } from '../../plan/plan.ts';
import type { LongRunning } from '../../progress.ts';
import type { Bench } from './bench.ts';
import type { EvaluateRequest, SpeedRequest } from './evaluate.ts';
import type { Calibration } from './repaired-models.ts';

export type { MeasuredVocabulary } from '../../library/vocabulary-cost.ts';

/** How much of a vocabulary stays, and the windows of text that tokens are chosen by. */
export interface KeptVocabulary extends Calibration {
  /** '16384', '0.5' or 'seen'. */
  readonly keep: string;
}

/** What is measured on, as for perplexity and speed. */
export interface VocabularyRequest extends EvaluateRequest {
  readonly vocabulary: KeptVocabulary;
  readonly speed?: Omit<SpeedRequest, 'repair'> | undefined;
}

export interface VocabularyCalls {
  /** What a smaller vocabulary costs a pruned model, and what it saves. */
  vocabulary(plan: Plan, request: VocabularyRequest, options?: LongRunning): Promise<MeasuredVocabulary>;
}

export function vocabularyCalls(bench: Bench): VocabularyCalls {
  return {
    vocabulary: (plan, { vocabulary, text, windows: measureWindows, length, repair, speed }, options = {}) =>
      bench.heavy(async () => {
        const windows = await bench.drawn(vocabulary);
        return bench.models.use(plan, repair, options, (open) =>
          measureVocabulary(open, { keep: vocabulary.keep, windows, text, measureWindows, length, speed, ...options }),
        );
      }, options),
  };
}
