import { useId } from 'react';
import { numberWithin, useTypedNumber } from './typed-number.ts';
import { WrongNumber } from './wrong-number.tsx';

/** A labelled number that may be left empty: then the default, which its placeholder names, holds. What is typed counts when it is inside the bounds; anything else stays in sight, beside what is allowed. */
export function OptionalNumberField({
  label,
  value,
  min,
  max,
  step = 1,
  placeholder,
  hint,
  onChange,
}: {
  readonly label: string;
  readonly value: number | undefined;
  readonly min: number;
  readonly max: number;
  readonly step?: number | 'any';
  /** What holds when it is empty. */
  readonly placeholder: string;
  /** One sentence on what it does. */
  readonly hint?: string;
  readonly onChange: (value: number | undefined) => void;
}) {
  const id = useId();
  const hintId = useId();
  const shown = value === undefined ? '' : String(Number(value.toPrecision(6)));
  const wrongId = useId();
  const domain = { min, max, isWhole: step === 1 };
  const { input, isWrong } = useTypedNumber(value, shown, (typed) => {
    const number = numberWithin(typed, domain);
    const isTaken = typed.trim() === '' || number !== undefined;
    if (isTaken) onChange(number);
    return isTaken;
  });
  return (
    <label className="field" htmlFor={id}>
      <span className="field-label">{label}</span>
      <input
        id={id}
        type="number"
        inputMode="decimal"
        {...input}
        min={min}
        max={max}
        step={step}
        placeholder={placeholder}
        aria-describedby={isWrong ? wrongId : hint ? hintId : undefined}
      />
      {isWrong && <WrongNumber id={wrongId} domain={domain} />}
      {hint && (
        <span className="field-hint" id={hintId}>
          {hint}
        </span>
      )}
    </label>
  );
}
