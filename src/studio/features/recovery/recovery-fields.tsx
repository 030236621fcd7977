import { memo } from 'react';
import { useModel } from '../../data/use-engine.ts';
import { NumberField } from '../../parts/number-field.tsx';
import { OptionalNumberField } from '../../parts/optional-number-field.tsx';
import { Segmented } from '../../parts/segmented.tsx';
import { Term } from '../../parts/term.tsx';
import { MEANINGS } from '../../parts/terms.ts';
import { TextChoice } from '../../parts/text-choice.tsx';
import { useStudioFields } from '../../store.ts';
import { rateOf } from './slice.ts';

const METHODS = [
  { value: 'group-wise-4', label: '4 bits' },
  { value: 'group-wise-8', label: '8 bits' },
  { value: 'lora', label: 'LoRA' },
] as const;

const LOSSES = [
  { value: 'kl', label: 'dense model' },
  { value: 'text', label: 'text' },
  { value: 'both', label: 'both' },
] as const;

/** What is trained, on what, and for how long. Remembered as drawn: the ratio does not matter to it. */
export const RecoveryFields = memo(function RecoveryFields() {
  const { data: model } = useModel();
  const {
    recoverText,
    recoverMethod,
    recoverLoss,
    recoverSteps,
    recoverRates,
    recoverBatch,
    recoverLength,
    setRecovery,
  } = useStudioFields(
    'recoverText',
    'recoverMethod',
    'recoverLoss',
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
      <div className="field">
        <span className="field-label">
          <Term meaning={MEANINGS.loss}>Learn from</Term>
        </span>
        <Segmented
          label="Learn from"
          options={LOSSES}
          value={recoverLoss}
          onChange={(loss) => setRecovery({ recoverLoss: loss })}
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

const DETAILS = [
  { key: 'rank', label: 'Rank', min: 1, max: 256, step: 1, placeholder: '8' },
  { key: 'scale', label: 'Scale', min: 0.1, max: 1024, step: 'any', placeholder: '16' },
  { key: 'dropout', label: 'Dropout', min: 0, max: 0.9, step: 'any', placeholder: '0.05' },
  { key: 'warmupSteps', label: 'Warm-up steps', min: 0, max: 10_000, step: 1, placeholder: 'a tenth' },
  { key: 'weightDecay', label: 'Weight decay', min: 0, max: 1, step: 'any', placeholder: '0' },
  { key: 'patience', label: 'Patience', min: 1, max: 1000, step: 1, placeholder: 'never' },
  { key: 'evaluateEvery', label: 'Steps a measurement', min: 1, max: 100_000, step: 1, placeholder: 'a tenth' },
  { key: 'heldOutShare', label: 'Held-out share', min: 0.001, max: 0.5, step: 'any', placeholder: '0.05' },
  { key: 'accumulation', label: 'Runs a step', min: 1, max: 512, step: 1, placeholder: 'automatic' },
  { key: 'maxGradientNorm', label: 'Longest gradient', min: 1e-6, max: 1e6, step: 'any', placeholder: '1' },
] as const;

/** What a training leaves at its own defaults: adapters, warm-up, when it stops, and the seed. */
export const RecoveryDetails = memo(function RecoveryDetails() {
  const { recoverDetails, recoverSeed, setRecovery } = useStudioFields('recoverDetails', 'recoverSeed', 'setRecovery');
  const set = (key: (typeof DETAILS)[number]['key'], value: number | undefined) => {
    const { [key]: _, ...others } = recoverDetails;
    setRecovery({ recoverDetails: value === undefined ? others : { ...others, [key]: value } });
  };
  return (
    <details className="recovery-details small">
      <summary>More of the training</summary>
      <div className="fields">
        {DETAILS.map(({ key, ...field }) => (
          <OptionalNumberField key={key} {...field} value={recoverDetails[key]} onChange={(value) => set(key, value)} />
        ))}
        <OptionalNumberField
          label="Seed"
          value={recoverSeed === 0 ? undefined : recoverSeed}
          {...{ min: 0, max: 2 ** 31 - 1, placeholder: '0' }}
          onChange={(seed = 0) => setRecovery({ recoverSeed: seed })}
        />
      </div>
    </details>
  );
});
