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
import { RecoveryPanel } from './panels/recovery-panel.tsx';
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
