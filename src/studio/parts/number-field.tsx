import { useId } from 'react';
import { numberWithin, useTypedNumber } from './typed-number.ts';
import { WrongNumber } from './wrong-number.tsx';

/** A labelled number: whole, unless `step` says otherwise. What is typed counts when it is inside the bounds; anything else stays in sight, beside what is allowed. */
export function NumberField({
  label,
  value,
  min,
  max,
  step = 1,
  unit,
  disabled = false,
  onChange,
}: {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step?: number | 'any';
  readonly unit?: string;
  readonly disabled?: boolean;
  readonly onChange: (value: number) => void;
}) {
  const id = useId();
  const wrongId = useId();
  const domain = { min, max, isWhole: step === 1 };
  const { input, isWrong } = useTypedNumber(value, String(value), (typed) => {
    const number = numberWithin(typed, domain);
    if (number !== undefined) onChange(number);
    return number !== undefined;
  });
  return (
    <label className="field" htmlFor={id}>
      <span className="field-label">{label}</span>
      <span className="field-control">
        <input
          id={id}
          type="number"
          inputMode="decimal"
          {...input}
          {...{ min, max, step, disabled }}
          aria-describedby={isWrong ? wrongId : undefined}
        />
        {unit && <span className="field-unit">{unit}</span>}
      </span>
      {isWrong && <WrongNumber id={wrongId} domain={domain} />}
    </label>
  );
}
