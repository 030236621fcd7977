import type { ReactNode } from 'react';
import { startAnew } from '../data/start-anew.ts';
import { ErrorBoundary } from './error-boundary.tsx';

/** A part of the page that may fail to draw without the others: a sentence stands in its place, with the way back to what a new visitor finds. */
export function Guarded({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <ErrorBoundary name={name} label="Start with the default recipe and settings" way={startAnew}>
      {children}
    </ErrorBoundary>
  );
}
