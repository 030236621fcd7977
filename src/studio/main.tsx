import '../symbol-dispose.ts';
import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { queryClient } from './data/query-client.ts';
import { keepMeasured, restoreSession } from './data/session.ts';
import { startAnew } from './data/start-anew.ts';
import { CloseGuard } from './features/frame/close-guard.tsx';
import { keepRuns } from './features/history/keep-runs.ts';
import { DropAnywhere } from './features/model/drop-anywhere.tsx';
import { Refused } from './features/model/refused.tsx';
import { LinkBanner } from './features/share/link-banner.tsx';
import { openSharedLink } from './features/share/open-link.ts';
import { startServiceWorker } from './isolation.ts';
import { ErrorBoundary } from './parts/error-boundary.tsx';
import './styles/tokens.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/controls.css';
import './styles/charts.css';
import './styles/panels.css';
import './features/bench/sheets.css';
import './features/figures/figures.css';
import './features/curve/curve.css';
import './features/read/read.css';
import './features/present/present.css';
import './features/device/device.css';
import './features/tour/tour.css';
import './features/plan/plan.css';
import './features/calibration/calibration.css';
import './features/history/history.css';
import './features/take-away/take-away.css';
import './features/vocabulary/vocabulary.css';
import './features/tasks/tasks.css';
import './features/share/share.css';
import './styles/forced.css';

if (import.meta.env.PROD) await startServiceWorker(`${import.meta.env.BASE_URL}service-worker.js`);

openSharedLink();
globalThis.addEventListener('hashchange', openSharedLink);

void restoreSession(queryClient).then(() => {
  keepMeasured(queryClient);
  void keepRuns();
});

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <ErrorBoundary name="The page" label="Start with the default recipe and settings" way={startAnew}>
          <App />
          <LinkBanner />
          <CloseGuard />
          <DropAnywhere />
          <Refused />
        </ErrorBoundary>
      </QueryClientProvider>
    </StrictMode>,
  );
}
