import type { ReactNode } from 'react';
import type { Plan } from '../../../plan/plan.ts';
import { formatBytes, formatChange, formatCount } from '../../parts/format.ts';
import { useDtype } from '../take-away/use-dtype.ts';
import type { PlanSummary } from './plan-outcome.ts';

/** What the plan at hand makes of the model: sizes and groups before and after. */
export function PlanOutcomeTable({
  plan,
  summary,
}: {
  readonly plan: Plan | undefined;
  readonly summary: PlanSummary | undefined;
}) {
  const dtype = useDtype();
  return (
    <dl className="before-after" data-plan={plan ? 'made' : 'none'}>
      <Row
        name="Parameters"
        before={plan && formatCount(plan.parametersBefore)}
        after={plan && formatCount(plan.parametersAfter)}
        change={plan && formatChange(plan.parametersAfter, plan.parametersBefore)}
      />
      <Row
        name={`Size, ${dtype}`}
        before={summary && formatBytes(summary.bytesBefore)}
        after={summary && formatBytes(summary.bytesAfter)}
        change={summary && formatChange(summary.bytesAfter, summary.bytesBefore)}
      />
      {summary && plan?.recipe.target.kind === 'memory' && (
        <MemoryRow summary={summary} context={plan.recipe.target.context} />
      )}
      {summary?.multiplyAccumulates && (
        <Row
          name={<abbr title={workTitle(summary.multiplyAccumulates.context)}>Multiply-adds a token</abbr>}
          before={formatCount(summary.multiplyAccumulates.before)}
          after={formatCount(summary.multiplyAccumulates.after)}
          change={formatChange(summary.multiplyAccumulates.after, summary.multiplyAccumulates.before)}
        />
      )}
      {!summary && <Row name="Attention groups" before={undefined} after={undefined} change={undefined} />}
      {!summary && <Row name="Neurons" before={undefined} after={undefined} change={undefined} />}
      {summary?.kinds.map(({ kind, noun, kept, all }) => (
        <Row
          key={kind}
          name={noun[0]?.toUpperCase() + noun.slice(1)}
          before={formatCount(all)}
          after={formatCount(kept)}
          change={removed(all - kept)}
        />
      ))}
    </dl>
  );
}

function MemoryRow({ summary, context }: { readonly summary: PlanSummary; readonly context: number }) {
  const [before, after] = [
    summary.bytesBefore + summary.cacheBefore(context),
    summary.bytesAfter + summary.cacheAfter(context),
  ];
  return (
    <Row
      name="With its cache"
      before={formatBytes(before)}
      after={formatBytes(after)}
      change={formatChange(after, before)}
    />
  );
}

function workTitle(context: number): string {
  return `Multiply-accumulates of the matrix products for one token that attends to ${formatCount(context)} positions`;
}

function removed(count: number): string {
  return count === 0 ? 'all stay' : `−${formatCount(count)}`;
}

function Row({
  name,
  before,
  after,
  change,
}: {
  readonly name: ReactNode;
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly change: string | undefined;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <span className="before">{before ?? '…'}</span>
        <span className="after">{after ?? '…'}</span>
        <span className="change">{change ?? ''}</span>
      </dd>
    </div>
  );
}
