import { type ReactNode, useCallback, useId, useLayoutEffect, useSyncExternalStore } from 'react';
import { createNoticeBoard } from './notice-board.ts';

const board = createNoticeBoard();

/** A sentence that the reader should not miss. Errors are announced at once. The same sentence stands in one place of the page, however many would show it. */
export function Notice({ kind, children }: { readonly kind: 'error' | 'note'; readonly children: ReactNode }) {
  const isElsewhere = useElsewhere(typeof children === 'string' ? children : undefined);
  if (isElsewhere) return null;
  return (
    <div className={`notice notice-${kind}`} role={kind === 'error' ? 'alert' : undefined}>
      {children}
    </div>
  );
}

function useElsewhere(sentence: string | undefined): boolean {
  const place = useId();
  useLayoutEffect(() => (sentence === undefined ? undefined : board.put(sentence, place)), [sentence, place]);
  const isElsewhere = useCallback(
    () => sentence !== undefined && board.isElsewhere(sentence, place),
    [sentence, place],
  );
  return useSyncExternalStore(board.subscribe, isElsewhere, () => false);
}
