import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { queryClient } from './data/query-client.ts';
import { keepMeasured, keepRuns, restoreSession } from './data/session.ts';
import { recipeFromFragment } from './features/share/share.ts';
import { startServiceWorker } from './isolation.ts';
import { useStudio } from './store.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/layout.css';
import './styles/controls.css';
import './styles/charts.css';
import './styles/panels.css';
import './features/plan/plan.css';
import './features/calibration/calibration.css';
import './features/history/history.css';
import './features/tasks/tasks.css';

if (import.meta.env.PROD) await startServiceWorker(`${import.meta.env.BASE_URL}service-worker.js`);

const shared = recipeFromFragment(globalThis.location.hash);
if (shared) useStudio.getState().changeRecipe(shared);

void restoreSession(queryClient).then(() => {
  keepMeasured(queryClient);
  keepRuns();
});

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <App />
      </QueryClientProvider>
    </StrictMode>,
  );
}
