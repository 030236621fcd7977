import { memo } from 'react';
import { useModel } from '../../data/use-engine.ts';
import { NumberField } from '../../parts/number-field.tsx';
import { Segmented } from '../../parts/segmented.tsx';
import { TextChoice } from '../../parts/text-choice.tsx';
import { useStudioFields } from '../../store.ts';
import { rateOf } from './slice.ts';

const METHODS = [
  { value: 'group-wise-4', label: '4 bits' },
  { value: 'group-wise-8', label: '8 bits' },
  { value: 'lora', label: 'LoRA' },
] as const;

/** What is trained, on what, and for how long. Remembered as drawn: the ratio does not matter to it. */
export const RecoveryFields = memo(function RecoveryFields() {
  const { data: model } = useModel();
  const { recoverText, recoverMethod, recoverSteps, recoverRates, recoverBatch, recoverLength, setRecovery } =
    useStudioFields(
      'recoverText',
      'recoverMethod',
      'recoverSteps',
      'recoverRates',
      'recoverBatch',
      'recoverLength',
      'setRecovery',
    );
  return (
    <>
      <TextChoice
        label="Train on"
        embedded="stories, shipped"
        value={recoverText}
        onChange={(text) => setRecovery({ recoverText: text })}
      />
      <div className="field">
        <span className="field-label">Method</span>
        <Segmented
          label="Method"
          options={METHODS}
          value={recoverMethod}
          onChange={(method) => setRecovery({ recoverMethod: method })}
        />
      </div>
      <NumberField
        label="Steps"
        value={recoverSteps}
        min={1}
        max={100_000}
        onChange={(value) => setRecovery({ recoverSteps: Math.round(value) })}
      />
      <NumberField
        label="Learning rate"
        value={recoverRates[rateOf(recoverMethod)]}
        min={1e-7}
        max={1}
        step={1e-4}
        onChange={(value) => setRecovery({ recoverRates: { ...recoverRates, [rateOf(recoverMethod)]: value } })}
      />
      <NumberField
        label="Windows a step"
        value={recoverBatch}
        min={1}
        max={512}
        onChange={(value) => setRecovery({ recoverBatch: Math.round(value) })}
      />
      <NumberField
        label="Window length"
        unit="tokens"
        value={recoverLength}
        min={8}
        max={model?.maximumPositions ?? 512}
        onChange={(value) => setRecovery({ recoverLength: Math.round(value) })}
      />
    </>
  );
});
