import { type ReactNode, useId, useState } from 'react';
import { UnsupportedError } from '../../errors.ts';
import { Notice } from './notice.tsx';

/** Largest file that is taken: it is held as one string, and tokenised whole. */
const LARGEST_MEGABYTES = 64;

/** A field whose value is shipped with the page or comes from a file of the reader's. Why a file could not be taken is told below it. */
export function FileChoice({
  label,
  name,
  accept,
  take,
  back,
  extra,
  children,
}: {
  readonly label: string;
  /** What is chosen. */
  readonly name: string;
  /** Endings of file names, as the `accept` attribute has them. */
  readonly accept: string;
  /** Reads and chooses a file; throws where it is of no use. */
  readonly take: (name: string, bytes: Uint8Array<ArrayBuffer>) => void;
  /** The way back to what is shipped, where something else is chosen. */
  readonly back: { readonly label: string; readonly choose: () => void } | undefined;
  /** More buttons beside the one for files. */
  readonly extra?: ReactNode;
  /** Below the buttons. */
  readonly children?: ReactNode;
}) {
  const fileId = useId();
  const [problem, setProblem] = useState<string>();
  const pick = async (file: File | undefined) => {
    if (!file) return;
    try {
      if (file.size > LARGEST_MEGABYTES * 1e6)
        throw new UnsupportedError(
          `${file.name} has ${(file.size / 1e6).toFixed(0)} MB; the page takes at most ${LARGEST_MEGABYTES} MB at once. Choose a part of it, or use the command line, which reads texts of any size.`,
        );
      take(file.name, new Uint8Array(await file.arrayBuffer()));
      setProblem(undefined);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div className="field text-choice">
      <span className="field-label">{label}</span>
      <span className="file-choice">
        <span className="file-name">{name}</span>
        <label className="button quiet" htmlFor={fileId}>
          File
        </label>
        <input
          id={fileId}
          className="visually-hidden"
          type="file"
          accept={accept}
          aria-label={`${label}: choose a file`}
          onChange={(event) => void pick(event.target.files?.[0])}
        />
        {extra}
        {back && (
          <button type="button" className="quiet" onClick={back.choose}>
            {back.label}
          </button>
        )}
      </span>
      {children}
      {problem && <Notice kind="error">{problem}</Notice>}
    </div>
  );
}
