import { useThemeOnDocument } from './data/use-theme.ts';
import { Announcer } from './panels/announcer.tsx';
import { CalibrationPanel } from './panels/calibration-panel.tsx';
import { ComparePanel } from './panels/compare-panel.tsx';
import { GeneratePanel } from './panels/generate-panel.tsx';
import { Header } from './panels/header.tsx';
import { ImportancePanel } from './panels/importance-panel.tsx';
import { ModelPanel } from './panels/model-panel.tsx';
import { PlanPanel } from './panels/plan-panel.tsx';
import { Rail } from './panels/rail.tsx';
import { RatioDock } from './panels/ratio-dock.tsx';
import { RunsPanel } from './panels/runs-panel.tsx';
import { TakeAwayPanel } from './panels/take-away-panel.tsx';
import { TasksPanel } from './panels/tasks-panel.tsx';

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
          <ModelPanel />
          <CalibrationPanel />
          <ImportancePanel />
          <PlanPanel />
          <ComparePanel />
          <RunsPanel />
          <TasksPanel />
          <GeneratePanel />
          <TakeAwayPanel />
        </main>
      </div>
      <RatioDock />
      <Announcer />
    </>
  );
}
