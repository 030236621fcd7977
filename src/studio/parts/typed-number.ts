import { type ChangeEvent, type KeyboardEvent, useEffect, useState } from 'react';

/**
 * What an input of numbers needs: the text as it is typed, which counts when `accept` takes it. What it does not take stays as it was typed, and `isWrong` tells once
 * the reader has left the field or pressed Enter, so that it is seen beside what is allowed; Escape goes back to `shown`, the last good value. Text that already
 * says `value` is left as it was typed.
 */
export function useTypedNumber(value: number | undefined, shown: string, accept: (typed: string) => boolean) {
  const [text, setText] = useState(shown);
  const [isTaken, setTaken] = useState(true);
  const [isDone, setDone] = useState(false);
  const isWrong = isDone && !isTaken;
  useEffect(() => {
    setText((typed) => (typed.trim() !== '' && value !== undefined && Number(typed) === value ? typed : shown));
    setTaken(true);
    setDone(false);
  }, [value, shown]);
  const leave = () => {
    setDone(true);
    if (isTaken) setText(shown);
  };
  const input = {
    value: text,
    'aria-invalid': isWrong,
    onChange: ({ target }: ChangeEvent<HTMLInputElement>) => {
      setText(target.value);
      // A browser gives no text for what is no number at all.
      const takes = !target.validity.badInput && accept(target.value);
      setTaken(takes);
      if (takes) setDone(false);
    },
    onBlur: leave,
    onKeyDown: ({ key }: KeyboardEvent<HTMLInputElement>) => {
      if (key === 'Enter') setDone(true);
      if (key !== 'Escape' || isTaken) return;
      setText(shown);
      setTaken(true);
      setDone(false);
    },
  };
  return { input, isWrong };
}

/** What a number must be for its field to take it. */
export interface NumberDomain {
  readonly min: number;
  readonly max: number;
  readonly isWhole?: boolean;
}

/** The number that was typed, where it is one of the domain. */
export function numberWithin(typed: string, { min, max, isWhole = false }: NumberDomain): number | undefined {
  const number = Number(typed);
  const isInside = typed.trim() !== '' && Number.isFinite(number) && number >= min && number <= max;
  return isInside && (!isWhole || Number.isInteger(number)) ? number : undefined;
}

/** The domain in words: 'a whole number from 1 to 512', 'a number, 0.5 or more'. */
export function domainSentence({ min, max, isWhole = false }: NumberDomain): string {
  const number = isWhole ? 'a whole number' : 'a number';
  const largest = max < 1e12 ? max : Number.POSITIVE_INFINITY;
  if (largest === Number.POSITIVE_INFINITY) return `${number}, ${plain(min)} or more`;
  return `${number} from ${plain(min)} to ${plain(largest)}`;
}

const plain = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 6 });
