import { useEffect, useState } from 'react';
import type { Plan, Target } from '../../../plan/plan.ts';
import { NumberField } from '../../parts/number-field.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { useStudio } from '../../store.ts';
import { LARGEST_RATIO } from '../curve/ratio-slider.tsx';
import { useDtype } from '../take-away/use-dtype.ts';
import type { PlanSummary } from './plan-outcome.ts';
import { type TargetKind, translateTarget, withContext } from './translate-target.ts';

const KINDS = [
  { value: 'ratio', label: 'Ratio' },
  { value: 'parameters', label: 'Parameters' },
  { value: 'bytes', label: 'Size' },
  { value: 'memory', label: 'Memory' },
] as const;

/** The target as a number: what goes, how many parameters stay, how large the export may be, or that with its cache at a context length. */
export function TargetField({
  plan,
  summary,
  ratio,
}: {
  readonly plan: Plan | undefined;
  readonly summary: PlanSummary | undefined;
  readonly ratio: number;
}) {
  const target = useStudio((state) => state.recipe.target);
  const dtype = useDtype();
  const changeRecipe = useStudio((state) => state.changeRecipe);
  const [awaited, setAwaited] = useState<TargetKind>();
  // Of a unit that waits there is no number yet, and that of the one before would be taken for it.
  const shown = awaited === undefined || awaited === target.kind ? target : undefined;
  const set = (next: Target) => changeRecipe({ target: next });
  // A unit chosen before there is a plan to translate the target with waits for that plan.
  useEffect(() => {
    const translated = awaited && translateTarget(awaited, plan, summary, ratio);
    if (!translated) return;
    setAwaited(undefined);
    changeRecipe({ target: translated });
  }, [awaited, plan, summary, ratio, changeRecipe]);
  return (
    <div className="target">
      <SelectField label="Target" value={awaited ?? target.kind} options={KINDS} onChange={setAwaited} />
      {shown?.kind === 'ratio' && (
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
      {shown?.kind === 'parameters' && (
        <NumberField
          label="Keep"
          unit="M"
          value={Math.round(shown.value / 1e4) / 100}
          min={0}
          max={(plan?.parametersBefore ?? 1e12) / 1e6}
          step={0.01}
          onChange={(millions) => set({ kind: 'parameters', value: Math.round(millions * 1e6) })}
        />
      )}
      {(shown?.kind === 'bytes' || shown?.kind === 'memory') && (
        <NumberField
          label={`At most, ${dtype}`}
          unit="MB"
          value={Math.round(shown.value / 1e4) / 100}
          min={0}
          max={(shown.kind === 'bytes' ? (summary?.bytesBefore ?? 1e13) : 1e13) / 1e6}
          step={0.1}
          onChange={(megabytes) => set({ ...shown, value: Math.round(megabytes * 1e6) })}
        />
      )}
      {shown?.kind === 'memory' && (
        <NumberField
          label="Cache of"
          unit="tokens"
          value={shown.context}
          min={1}
          max={1e7}
          onChange={(context) => Number.isInteger(context) && set(withContext(shown, context, summary))}
        />
      )}
    </div>
  );
}
