import { useId } from 'react';
import { numberWithin, useTypedNumber } from './typed-number.ts';

/** A labelled number that may be left empty: then the default, which its placeholder names, holds. What is typed counts when it is inside the bounds. */
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
  const typing = useTypedNumber(value, shown, (typed) => {
    const number = numberWithin(typed, min, max);
    if (typed.trim() === '') onChange(undefined);
    else if (number !== undefined && (step !== 1 || Number.isInteger(number))) onChange(number);
  });
  return (
    <label className="field" htmlFor={id}>
      <span className="field-label">{label}</span>
      <input
        id={id}
        type="number"
        inputMode="decimal"
        {...typing}
        min={min}
        max={max}
        step={step}
        placeholder={placeholder}
        aria-describedby={hint ? hintId : undefined}
      />
      {hint && (
        <span className="field-hint" id={hintId}>
          {hint}
        </span>
      )}
    </label>
  );
}
