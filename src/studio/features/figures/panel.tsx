import type { ReactNode } from 'react';
import { useScores } from '../../data/use-engine.ts';
import { formatBytes, formatChange, formatCount, formatPercent, formatPerplexity } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { Term } from '../../parts/term.tsx';
import { MEANINGS } from '../../parts/terms.ts';
import { usePlan, usePlanSummary, useRatio } from '../plan/use-plan.ts';
import { useDtype } from '../take-away/use-dtype.ts';
import { Presets } from './presets.tsx';
import { useDivergenceFigure, usePerplexityFigure, useSpeedFigure } from './use-figures.ts';

/** What the present ratio makes of the model, in four figures that are always in sight. */
export function Figures() {
  const { data: scores } = useScores();
  const outcome = usePlan();
  const summary = usePlanSummary();
  const ratio = useRatio();
  const dtype = useDtype();
  const perplexity = usePerplexityFigure();
  const divergence = useDivergenceFigure();
  const speed = useSpeedFigure();
  const plan = outcome?.ok ? outcome.plan : undefined;
  return (
    <section className="figures" id="outcome" aria-label="Outcome">
      <p className="headline">
        <span className="headline-figure">{formatPercent(ratio)}</span>{' '}
        <span className="headline-words">
          of <Term meaning={MEANINGS.prunable}>prunable weights</Term>
          {plan && (
            <span className="soft">
              {' '}
              = {formatPercent(1 - plan.parametersAfter / plan.parametersBefore)} of the parameters
            </span>
          )}
        </span>
      </p>
      {outcome && !outcome.ok ? (
        <Notice kind="error">{outcome.message}</Notice>
      ) : (
        <dl className="figure-grid" data-plan={plan ? 'made' : 'none'}>
          <Figure
            name={<Term meaning={MEANINGS.parameters}>Parameters</Term>}
            value={plan ? formatCount(plan.parametersAfter) : scores && formatCount(scores.model.parameters)}
            beside={plan && formatChange(plan.parametersAfter, plan.parametersBefore)}
            more={plan && `of ${formatCount(plan.parametersBefore)}`}
          />
          <Figure
            name={<Term meaning={MEANINGS.file}>File, {dtype}</Term>}
            value={summary && formatBytes(summary.bytesAfter)}
            beside={summary && formatChange(summary.bytesAfter, summary.bytesBefore)}
            more={summary && `of ${formatBytes(summary.bytesBefore)}`}
          />
          <Figure
            name={<Term meaning={MEANINGS.perplexity}>Perplexity</Term>}
            value={perplexity && `${perplexity.isExact ? '' : '≈ '}${formatPerplexity(perplexity.value)}`}
            isEstimate={perplexity !== undefined && !perplexity.isExact}
            beside={perplexity?.beside}
            more={perplexity?.more}
            second={
              divergence && (
                <Term meaning={MEANINGS.divergence}>
                  <span className={divergence.isExact ? undefined : 'estimate'}>{divergence.text}</span>
                </Term>
              )
            }
            tag={perplexity?.tag}
          />
          <Figure
            name={
              <Term meaning={MEANINGS.speed}>
                Speed<span className="figure-of">, decode</span>
              </Term>
            }
            value={speed?.value}
            isEstimate={speed?.isEstimate ?? false}
            beside={speed?.beside}
            more={speed?.more}
          />
        </dl>
      )}
      <Presets />
    </section>
  );
}

function Figure({
  name,
  value,
  beside,
  more,
  second,
  tag,
  isEstimate = false,
}: {
  readonly name: ReactNode;
  readonly value: string | undefined;
  readonly beside?: string | undefined;
  /** What says more of what is beside it: a narrow screen leaves it out. */
  readonly more?: string | undefined;
  /** Another measure of the same, at the right of the name. */
  readonly second?: ReactNode;
  /** Where it comes from, where that is not this machine and this recipe. */
  readonly tag?: string | undefined;
  readonly isEstimate?: boolean;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <span className={isEstimate ? 'figure-value estimate' : 'figure-value'}>{value ?? '–'}</span>{' '}
        {beside && (
          <span className="figure-beside">
            {beside}
            {more && (
              <>
                {' '}
                <span className="figure-of">{more}</span>
              </>
            )}
          </span>
        )}
        {second && <span className="figure-second"> {second}</span>}
        {tag && <span className="figure-tag">{tag}</span>}
      </dd>
    </div>
  );
}
