import { type ReactNode, useId, useState } from 'react';
import { joinTexts } from '../../evaluate/text.ts';
import type { ChosenText } from '../data/text.ts';
import { FileChoice } from './file-choice.tsx';

/** The text shipped with the page, a file of the reader's (plain text or JSON lines with a `text` field), or pasted text. */
export function TextChoice({
  label,
  embedded,
  value,
  onChange,
  extra,
}: {
  readonly label: string;
  /** What the shipped text is, in a few words. */
  readonly embedded: string;
  readonly value: ChosenText;
  readonly onChange: (text: ChosenText) => void;
  /** More ways to a text. */
  readonly extra?: ReactNode;
}) {
  const pasteId = useId();
  const [pasting, setPasting] = useState(false);
  return (
    <FileChoice
      label={label}
      name={value.kind === 'own' ? value.name : embedded}
      accept=".txt,.md,.raw,.jsonl,.ndjson"
      take={(name, bytes) => onChange({ kind: 'own', name, text: joinTexts([{ name, bytes }]) })}
      back={value.kind === 'own' ? { label: 'Shipped text', choose: () => onChange({ kind: 'embedded' }) } : undefined}
      extra={
        <>
          <button type="button" className="quiet" aria-expanded={pasting} onClick={() => setPasting(!pasting)}>
            Paste
          </button>
          {extra}
        </>
      }
    >
      {pasting && (
        <label className="field" htmlFor={pasteId}>
          <span className="visually-hidden">{label}: paste text</span>
          <textarea
            id={pasteId}
            rows={4}
            placeholder="Paste text here"
            defaultValue={value.kind === 'own' ? value.text.slice(0, 100_000) : ''}
            // At once, not on leaving: what changes around the field then would move the button away under the pointer.
            onChange={(event) =>
              event.target.value.trim() !== '' &&
              onChange({ kind: 'own', name: 'pasted text', text: event.target.value })
            }
          />
        </label>
      )}
    </FileChoice>
  );
}
