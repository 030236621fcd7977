import { formatCount, formatPercent } from '../../parts/format.ts';
import type { PlanSummary } from '../plan/plan-outcome.ts';

/** What stays of attention, MLP and vocabulary, as bars beside each other. */
export function PlanBars({ summary }: { readonly summary: PlanSummary }) {
  const { attentionGroups, attentionRemoved, neurons, neuronsRemoved, tokens, tokensKept } = summary;
  return (
    <ul className="plan-bars" aria-label="What stays">
      <Bar name="Attention" unit="groups" all={attentionGroups} kept={attentionGroups - attentionRemoved} />
      <Bar name="MLP" unit="neurons" all={neurons} kept={neurons - neuronsRemoved} />
      {tokens !== undefined && tokensKept !== undefined && (
        <Bar name="Vocabulary" unit="tokens" all={tokens} kept={tokensKept} />
      )}
    </ul>
  );
}

function Bar({
  name,
  unit,
  all,
  kept,
}: {
  readonly name: string;
  readonly unit: string;
  readonly all: number;
  readonly kept: number;
}) {
  const share = all === 0 ? 1 : kept / all;
  return (
    <li>
      <span>{name}</span>
      <span className="plan-bar" aria-hidden="true">
        <span className={`plan-bar-kept plan-bar-${name.toLowerCase()}`} style={{ width: `${100 * share}%` }} />
      </span>
      <span className="soft">
        {formatPercent(share)}, {formatCount(kept)} of {formatCount(all)} {unit}
      </span>
    </li>
  );
}
