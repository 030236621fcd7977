import { useId } from 'react';
import { numberWithin, useTypedNumber } from './typed-number.ts';

/** A labelled number. What is typed counts when it is inside the bounds; on leaving, anything else falls back to the last good value. */
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
  const typing = useTypedNumber(value, String(value), (typed) => {
    const number = numberWithin(typed, min, max);
    if (number !== undefined) onChange(number);
  });
  return (
    <label className="field" htmlFor={id}>
      <span className="field-label">{label}</span>
      <span className="field-control">
        <input
          id={id}
          type="number"
          inputMode="decimal"
          {...typing}
          min={min}
          max={max}
          step={step}
          disabled={disabled}
        />
        {unit && <span className="field-unit">{unit}</span>}
      </span>
    </label>
  );
}
