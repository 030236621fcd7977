import type { ReactNode } from 'react';

/** A sentence that the reader should not miss. Errors are announced at once. */
export function Notice({ kind, children }: { readonly kind: 'error' | 'note'; readonly children: ReactNode }) {
  return (
    <div className={`notice notice-${kind}`} role={kind === 'error' ? 'alert' : undefined}>
      {children}
    </div>
  );
}
