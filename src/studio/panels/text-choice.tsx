import { useId, useState } from 'react';
import { joinTexts } from '../../evaluate/text.ts';
import { Notice } from '../parts/notice.tsx';
import type { ChosenText } from '../state/text.ts';

/** The text shipped with the page, a file of the reader's (plain text or JSON lines with a `text` field), or pasted text. */
export function TextChoice({
  label,
  embedded,
  value,
  onChange,
}: {
  readonly label: string;
  /** What the shipped text is, in a few words. */
  readonly embedded: string;
  readonly value: ChosenText;
  readonly onChange: (text: ChosenText) => void;
}) {
  const fileId = useId();
  const pasteId = useId();
  const [pasting, setPasting] = useState(false);
  const [problem, setProblem] = useState<string>();
  const pick = async (file: File | undefined) => {
    if (!file) return;
    try {
      onChange({ kind: 'own', name: file.name, text: joinTexts([{ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) }]) });
      setProblem(undefined);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div className="field text-choice">
      <span className="field-label">{label}</span>
      <span className="file-choice">
        <span className="file-name">{value.kind === 'own' ? value.name : embedded}</span>
        <label className="button quiet" htmlFor={fileId}>
          File
        </label>
        <input
          id={fileId}
          className="visually-hidden"
          type="file"
          accept=".txt,.md,.raw,.jsonl,.ndjson"
          aria-label={`${label}: choose a file`}
          onChange={(event) => void pick(event.target.files?.[0])}
        />
        <button type="button" className="quiet" aria-expanded={pasting} onClick={() => setPasting(!pasting)}>
          Paste
        </button>
        {value.kind === 'own' && (
          <button type="button" className="quiet" onClick={() => onChange({ kind: 'embedded' })}>
            Shipped text
          </button>
        )}
      </span>
      {pasting && (
        <label className="field" htmlFor={pasteId}>
          <span className="visually-hidden">{label}: paste text</span>
          <textarea
            id={pasteId}
            rows={4}
            placeholder="Paste text here"
            defaultValue={value.kind === 'own' ? value.text.slice(0, 100_000) : ''}
            onBlur={(event) => event.target.value.trim() !== '' && onChange({ kind: 'own', name: 'pasted text', text: event.target.value })}
          />
        </label>
      )}
      {problem && <Notice kind="error">{problem}</Notice>}
    </div>
  );
}
