import type { Plan } from '../../../plan/plan.ts';
import type { MeasuredVocabulary } from '../../../worker/engine.ts';
import { useModel } from '../../data/use-engine.ts';
import { formatBytes, formatSpeedRatio } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudio } from '../../store.ts';
import { useMeasuredOn } from '../compare/measurements.ts';
import { useJobs } from '../frame/jobs.tsx';
import { planFingerprint } from '../plan/plan-fingerprint.ts';
import type { PlanSummary } from '../plan/plan-outcome.ts';
import { PlanBars } from './plan-bars.tsx';

const ALL = 'all';
const SIZES = [
  { value: ALL, label: 'all tokens' },
  { value: '0.75', label: 'three quarters' },
  { value: '0.5', label: 'half' },
  { value: '0.25', label: 'a quarter' },
  { value: 'seen', label: 'those of the calibration text' },
];

/** The vocabulary as one more thing to take away: how much of it stays, and what that costs. */
export function VocabularyPanel({
  plan,
  summary,
}: {
  readonly plan: Plan | undefined;
  readonly summary: PlanSummary | undefined;
}) {
  const keep = useStudio((state) => state.recipe.vocabulary) ?? ALL;
  const changeRecipe = useStudio((state) => state.changeRecipe);
  const isBusy = useStudio((state) => state.tasks.vocabulary !== undefined);
  const { data: model } = useModel();
  const job = useJobs().vocabulary;
  const measuredOn = useMeasuredOn();
  const known = SIZES.some(({ value }) => value === keep);
  const isOfThis = job.data && plan && isSame(job.data.plan, plan);
  const cost = isOfThis ? job.data?.cost : undefined;
  return (
    <section className="vocabulary" aria-label="Vocabulary">
      {summary && <PlanBars summary={summary} />}
      <div className="fields">
        <SelectField
          label="Vocabulary, what stays"
          value={keep}
          options={known ? SIZES : [...SIZES, { value: keep, label: `${keep} tokens` }]}
          onChange={(value) => changeRecipe({ vocabulary: value === ALL ? undefined : value })}
        />
        {keep !== ALL && (
          <div className="field field-action">
            <button type="button" disabled={!model || !plan || isBusy} onClick={() => plan && job.mutate(plan)}>
              Measure what it costs
            </button>
          </div>
        )}
      </div>
      <TaskProgress name="vocabulary" label="Measuring the vocabulary" onCancel={job.cancel} />
      {job.error && job.error.name !== 'CancelledError' && <Notice kind="error">{job.error.message}</Notice>}
      {keep !== ALL && (
        <p className="soft small" role="status">
          {cost
            ? `${costSentence(cost)} Measured on ${measuredOn}.`
            : 'Every text can still be written, in more tokens where one is gone. Perplexity and texts on the bench are those of the whole vocabulary.'}
        </p>
      )}
    </section>
  );
}

/** Whether two plans keep the same: their number formats may differ. */
function isSame(first: Plan, second: Plan): boolean {
  return planFingerprint(first) === planFingerprint(second) && first.recipe.vocabulary === second.recipe.vocabulary;
}

function costSentence({ before, after, decode }: MeasuredVocabulary): string {
  const saved = 4 * (before.parameters - after.parameters);
  const speed = decode ? `, decoding ${formatSpeedRatio(decode)}` : '';
  return `${after.tokens.toLocaleString('en-US')} tokens: ${after.tokensPerWord.toFixed(2)} per word instead of ${before.tokensPerWord.toFixed(2)}, ${after.bitsPerByte.toFixed(3)} bits per byte instead of ${before.bitsPerByte.toFixed(3)}, ${formatBytes(saved)} less in f32${speed}.`;
}
