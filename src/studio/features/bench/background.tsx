import { useSweep } from '../compare/use-sweep.ts';
import { useThemeOnDocument } from '../frame/use-theme.ts';
import { useRunHistory } from '../history/use-run-history.ts';
import { useLiveReading } from '../read/use-live-reading.ts';
import { useRecoveredHistory } from '../recovery/use-recovered-history.ts';
import { useExportedHistory } from '../take-away/use-exported-history.ts';

/** What goes on whatever is open: measuring, writing texts, keeping the history. Draws nothing. */
export function Background() {
  useThemeOnDocument();
  useLiveReading();
  useSweep();
  useRunHistory();
  useRecoveredHistory();
  useExportedHistory();
  return null;
}
