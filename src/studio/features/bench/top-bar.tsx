import { useStudioFields } from '../../store.ts';
import { CalibrationSheet } from '../calibration/sheet.tsx';
import { BackendChip } from '../frame/backend-chip.tsx';
import { Mark } from '../frame/mark.tsx';
import { MenuSheet } from '../frame/menu-sheet.tsx';
import { ModelSheet } from '../model/sheet.tsx';
import { ShareLink } from '../share/share-link.tsx';
import { ExportSheet } from '../take-away/sheet.tsx';

/** The upper edge: what is on the bench, on which text it was scored, and the way out. */
export function TopBar() {
  return (
    <header className="top">
      <Mark />
      <h1>Espalier</h1>
      <div className="top-subject">
        <ModelSheet />
        <CalibrationSheet />
      </div>
      <div className="top-aside">
        <UndoRedo />
        <BackendChip />
        <ShareLink />
        <MenuSheet />
      </div>
      <ExportSheet />
    </header>
  );
}

function UndoRedo() {
  const { past, future, undo, redo } = useStudioFields('past', 'future', 'undo', 'redo');
  return (
    <span className="undo">
      <button type="button" className="icon" aria-label="Undo" title="Undo" disabled={past.length === 0} onClick={undo}>
        <Arrow />
      </button>
      <button
        type="button"
        className="icon"
        aria-label="Redo"
        title="Redo"
        disabled={future.length === 0}
        onClick={redo}
      >
        <Arrow flipped />
      </button>
    </span>
  );
}

function Arrow({ flipped = false }: { readonly flipped?: boolean }) {
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <path
        d="M6 3.500L2.500 7L6 10.500M2.500 7H10a3.250 3.250 0 0 1 0 6.500H7"
        transform={flipped ? 'matrix(-1 0 0 1 16 0)' : undefined}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.500"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
