import { useState } from 'react';
import { useModel } from '../../data/use-engine.ts';
import { formatCount } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { useStudio } from '../../store.ts';
import { useCalibrationWindows } from './use-windows.ts';

const PER_PAGE = 4;

/** The windows that scoring would read, as text, page by page: what the model's groups are judged by. */
export function CalibrationWindows() {
  const { data: model } = useModel();
  const windows = useStudio((state) => state.calibrationWindows);
  const [open, setOpen] = useState(false);
  const [asked, setPage] = useState(0);
  const pages = Math.max(1, Math.ceil(windows / PER_PAGE));
  const page = Math.min(asked, pages - 1);
  const from = page * PER_PAGE;
  const drawn = useCalibrationWindows(open, from, PER_PAGE);
  const last = Math.min(windows, from + PER_PAGE);
  return (
    <details className="windows" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Look at the windows</summary>
      {!model && <p className="soft small">They are cut by the model’s tokenizer, which is being opened.</p>}
      {drawn.error && <Notice kind="error">{drawn.error.message}</Notice>}
      {drawn.data && !drawn.error && (
        <>
          <p className="windows-line small">
            <span className="soft" role="status">
              Windows {from + 1} to {last} of {formatCount(windows)}, drawn from {formatCount(drawn.data.available)} in{' '}
              {formatCount(drawn.data.tokens)} tokens.
            </span>
            <button type="button" className="quiet" disabled={page === 0} onClick={() => setPage(page - 1)}>
              Before
            </button>
            <button type="button" className="quiet" disabled={page >= pages - 1} onClick={() => setPage(page + 1)}>
              After
            </button>
          </p>
          <ol className="windows-list" start={from + 1}>
            {drawn.data.texts.map((text, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a window is its place.
              <li key={index} value={from + index + 1}>
                {text}
              </li>
            ))}
          </ol>
        </>
      )}
    </details>
  );
}
