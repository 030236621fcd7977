import type { KindShare } from '../../../plan/kinds.ts';
import { formatCount, formatPercent } from '../../parts/format.ts';
import type { PlanSummary } from '../plan/plan-outcome.ts';

/** What stays of each kind of group and of the vocabulary, as bars beside each other. */
export function PlanBars({ summary }: { readonly summary: PlanSummary }) {
  const { kinds, tokens, tokensKept } = summary;
  return (
    <ul className="plan-bars" aria-label="What stays">
      {kinds.map(({ kind, all, kept }) => (
        <Bar key={kind} {...BARS[kind]} all={all} kept={kept} />
      ))}
      {tokens !== undefined && tokensKept !== undefined && (
        <Bar name="Vocabulary" unit="tokens" all={tokens} kept={tokensKept} />
      )}
    </ul>
  );
}

const BARS: Readonly<Record<KindShare['kind'], { readonly name: string; readonly unit: string }>> = {
  attention: { name: 'Attention', unit: 'groups' },
  convolution: { name: 'Convolution', unit: 'channels' },
  experts: { name: 'Experts', unit: 'experts' },
  neurons: { name: 'MLP', unit: 'neurons' },
};

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
