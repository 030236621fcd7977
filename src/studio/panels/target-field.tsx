import { useEffect, useState } from 'react';
import type { Plan, Target } from '../../surgery/plan.ts';
import { NumberField } from '../parts/number-field.tsx';
import { SelectField } from '../parts/select-field.tsx';
import type { PlanSummary } from '../planning/plan-outcome.ts';
import { useStudio } from '../state/store.ts';
import { LARGEST_RATIO } from './ratio-slider.tsx';

type Kind = 'ratio' | 'parameters' | 'bytes';

const KINDS = [
  { value: 'ratio', label: 'Ratio' },
  { value: 'parameters', label: 'Parameters' },
  { value: 'bytes', label: 'Size' },
] as const;

/** The target as a number: what goes, how many parameters stay, or how large the export may be. */
export function TargetField({ plan, summary, ratio }: { readonly plan: Plan | undefined; readonly summary: PlanSummary | undefined; readonly ratio: number }) {
  const target = useStudio((state) => state.recipe.target);
  const changeRecipe = useStudio((state) => state.changeRecipe);
  const kind: Kind = target.kind === 'memory' ? 'ratio' : target.kind;
  const [awaited, setAwaited] = useState<Kind>();
  const set = (next: Target) => changeRecipe({ target: next });
  // A unit chosen before there is a plan to translate the target with waits for that plan.
  useEffect(() => {
    const translated = awaited && translate(awaited, plan, summary, ratio);
    if (!translated) return;
    setAwaited(undefined);
    changeRecipe({ target: translated });
  }, [awaited, plan, summary, ratio, changeRecipe]);
  return (
    <div className="target">
      <SelectField label="Target" value={awaited ?? kind} options={KINDS} onChange={setAwaited} />
      {kind === 'ratio' && (
        <NumberField
          label="Ratio"
          unit="%"
          value={Math.round(ratio * 1000) / 10}
          min={0}
          max={LARGEST_RATIO * 100}
          step={0.5}
          onChange={(percent) => set({ kind: 'ratio', value: percent / 100 })}
        />
      )}
      {kind === 'parameters' && (
        <NumberField
          label="Keep"
          unit="M"
          value={Math.round(target.value / 1e4) / 100}
          min={0}
          max={(plan?.parametersBefore ?? 1e12) / 1e6}
          step={0.01}
          onChange={(millions) => set({ kind: 'parameters', value: Math.round(millions * 1e6) })}
        />
      )}
      {kind === 'bytes' && (
        <NumberField
          label="At most"
          unit="MB"
          value={Math.round(target.value / 1e4) / 100}
          min={0}
          max={(summary?.bytesBefore ?? 1e13) / 1e6}
          step={0.1}
          onChange={(megabytes) => set({ kind: 'bytes', value: Math.round(megabytes * 1e6) })}
        />
      )}
    </div>
  );
}

/** The target that asks for what the plan at hand gives, in another unit; `undefined` where nothing is planned yet. */
function translate(kind: Kind, plan: Plan | undefined, summary: PlanSummary | undefined, ratio: number): Target | undefined {
  switch (kind) {
    case 'ratio':
      return { kind, value: Math.round(ratio * 1000) / 1000 };
    case 'parameters':
      return plan && { kind, value: plan.parametersAfter };
    case 'bytes':
      return summary && { kind, value: Math.round(summary.bytesAfter) };
  }
}
