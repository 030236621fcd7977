import {
  formatBytes,
  formatCount,
  formatPercent,
  formatPerplexity,
  formatSpeed,
  formatSpeedRatio,
} from '../../parts/format.ts';
import { estimateAt } from '../compare/estimate.ts';
import { useCurrentMeasurements } from '../compare/measurements.ts';
import { ratioKey } from '../compare/sweep.ts';
import { usePlan, usePlanSummary } from './use-plan.ts';

interface Outcome {
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly isEstimate?: boolean;
}

/** What the present ratio makes of the model, in one line that is always in sight: each figure before and after. */
export function OutcomeLine() {
  const outcomes = useOutcomes();
  if (outcomes.length === 0) return null;
  return (
    <dl className="outcome" aria-label="Dense model and pruned model">
      {outcomes.map(({ name, before, after, isEstimate }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <span className="before">{before ?? '–'}</span>
            <span aria-hidden="true" className="arrow">
              →
            </span>
            <span
              className={isEstimate ? 'after estimate' : 'after'}
              title={isEstimate ? 'Estimated between measured ratios' : undefined}
            >
              {after ?? '…'}
            </span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function useOutcomes(): Outcome[] {
  const outcome = usePlan();
  const summary = usePlanSummary();
  const measured = useCurrentMeasurements();
  if (!outcome?.ok || !summary) return [];
  const { plan } = outcome;
  const key = ratioKey(plan.ratio);
  const [dense, pruned] = [measured.perplexity.get(0), measured.perplexity.get(key)];
  const estimate = estimateAt(
    [...measured.perplexity].map(([ratio, { perplexity }]) => ({ ratio, value: perplexity })),
    plan.ratio,
  );
  const perplexity = pruned?.perplexity ?? estimate;
  const speed = measured.speed.get(key);
  return [
    {
      name: `parameters, ${formatPercent(plan.ratio)} off`,
      before: formatCount(plan.parametersBefore),
      after: formatCount(plan.parametersAfter),
    },
    {
      name: `size, ${plan.recipe.dtype ?? 'f32'}`,
      before: formatBytes(summary.bytesBefore),
      after: formatBytes(summary.bytesAfter),
    },
    {
      name: 'perplexity',
      before: dense && formatPerplexity(dense.perplexity),
      after: perplexity === undefined ? undefined : `${pruned ? '' : '≈ '}${formatPerplexity(perplexity)}`,
      isEstimate: pruned === undefined && estimate !== undefined,
    },
    {
      name: 'tokens/s over dense',
      before: speed && formatSpeed(speed.dense.decode.value),
      after: speed && formatSpeedRatio(speed.decode),
    },
  ];
}
