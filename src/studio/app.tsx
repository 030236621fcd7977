import type { CSSProperties } from 'react';
import { Background } from './features/bench/background.tsx';
import { BottomBar } from './features/bench/bottom-bar.tsx';
import { Drawer } from './features/bench/drawer.tsx';
import { TopBar } from './features/bench/top-bar.tsx';
import { Trouble } from './features/bench/trouble.tsx';
import { useDrawer } from './features/bench/use-drawer.ts';
import { RatioCurve } from './features/curve/panel.tsx';
import { DevicePage } from './features/device/page.tsx';
import { Figures } from './features/figures/panel.tsx';
import { Announcer } from './features/frame/announcer.tsx';
import { JobsProvider } from './features/frame/jobs.tsx';
import { ImportancePanel } from './features/importance/panel.tsx';
import { Present } from './features/present/present.tsx';
import { ReadPanel } from './features/read/panel.tsx';
import { Tour } from './features/tour/tour.tsx';
import { Guarded } from './parts/guarded.tsx';

/** The whole page: the bench in one view, sheets above it, drawers below it. */
export function App() {
  return (
    <JobsProvider>
      <Guarded name="What is measured and written behind the page">
        <Background />
      </Guarded>
      <Announcer />
      <Page />
    </JobsProvider>
  );
}

function Page() {
  const { drawer, share } = useDrawer();
  return (
    <div
      className={drawer ? 'page with-drawer' : 'page'}
      style={{ '--drawer': `${Math.round(share * 1000) / 10}vh` } as CSSProperties}
    >
      <a className="skip" href="#outcome">
        Skip to the outcome
      </a>
      <Guarded name="The upper edge">
        <TopBar />
        <Trouble />
      </Guarded>
      <main className="bench">
        <div className="bench-left">
          <Guarded name="The map">
            <ImportancePanel />
          </Guarded>
          <Guarded name="The curve">
            <RatioCurve />
          </Guarded>
        </div>
        <div className="bench-right">
          <Guarded name="The figures">
            <Figures />
          </Guarded>
          <Guarded name="What the models write">
            <ReadPanel />
          </Guarded>
        </div>
      </main>
      <Drawer />
      <BottomBar />
      <Guarded name="The presentation or the device’s page">
        <Present />
        <DevicePage />
      </Guarded>
      <Tour />
    </div>
  );
}
