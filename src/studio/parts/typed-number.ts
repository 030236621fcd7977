import { type ChangeEvent, useEffect, useState } from 'react';

/**
 * What an input of numbers needs: the text as it is typed, which counts when `accept` takes it, and falls back to `shown`, the last good value, on leaving.
 * Text that already says `value` is left as it was typed.
 */
export function useTypedNumber(value: number | undefined, shown: string, accept: (typed: string) => void) {
  const [text, setText] = useState(shown);
  useEffect(
    () => setText((typed) => (typed.trim() !== '' && value !== undefined && Number(typed) === value ? typed : shown)),
    [value, shown],
  );
  return {
    value: text,
    onChange: ({ target }: ChangeEvent<HTMLInputElement>) => {
      setText(target.value);
      accept(target.value);
    },
    onBlur: () => setText(shown),
  };
}

/** The number that was typed, where it is one inside the bounds. */
export function numberWithin(typed: string, min: number, max: number): number | undefined {
  const number = Number(typed);
  return typed.trim() !== '' && Number.isFinite(number) && number >= min && number <= max ? number : undefined;
}
