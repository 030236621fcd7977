import { CalibrationPanel } from './features/calibration/panel.tsx';
import { ComparePanel } from './features/compare/panel.tsx';
import { Announcer } from './features/frame/announcer.tsx';
import { Header } from './features/frame/header.tsx';
import { Rail } from './features/frame/rail.tsx';
import { useThemeOnDocument } from './features/frame/use-theme.ts';
import { RunsPanel } from './features/history/panel.tsx';
import { ImportancePanel } from './features/importance/panel.tsx';
import { ModelPanel } from './features/model/panel.tsx';
import { PlanPanel } from './features/plan/panel.tsx';
import { RatioDock } from './features/plan/ratio-dock.tsx';
import { GeneratePanel } from './features/read/panel.tsx';
import { RecoveryPanel } from './features/recovery/panel.tsx';
import { TakeAwayPanel } from './features/take-away/panel.tsx';
import { TasksPanel } from './features/tasks/panel.tsx';

/** The whole page: model, calibration, importance, plan, compare, read, take away. */
export function App() {
  useThemeOnDocument();
  return (
    <>
      <a className="skip" href="#plan">
        Skip to the plan
      </a>
      <Header />
      <div className="frame">
        <Rail />
        <main className="bench">
          <p className="intro">
            A language model is a stack of layers; each has groups of attention heads and thousands of neurons. Espalier
            measures what every group is worth, takes the least useful away, shows what that costs, and hands you the
            smaller model. Drag the ratio to begin.
          </p>
          <ModelPanel />
          <CalibrationPanel />
          <div className="planning">
            <ImportancePanel />
            <PlanPanel />
          </div>
          <ComparePanel />
          <RunsPanel />
          <TasksPanel />
          <RecoveryPanel />
          <GeneratePanel />
          <TakeAwayPanel />
        </main>
      </div>
      <RatioDock />
      <Announcer />
    </>
  );
}
