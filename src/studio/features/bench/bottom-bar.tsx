import { useModel } from '../../data/use-engine.ts';
import { taskText } from '../../parts/task-progress.tsx';
import { useStudio, useStudioFields } from '../../store.ts';
import { useMeasureSettings } from '../compare/measurements.ts';
import { DRAWERS, type DrawerName } from './slice.ts';
import { useDrawer } from './use-drawer.ts';
import { useDrawerStatus } from './use-drawer-status.ts';

const DRAWER_TITLES: Readonly<Record<DrawerName, string>> = {
  compare: 'Compare',
  recipe: 'Recipe',
  history: 'History',
  'zero-shot': 'Zero-shot',
  recovery: 'Recover',
};

/** The lower edge: what opens, with what stands in each, and how the figures above were measured. */
export function BottomBar() {
  const { drawer, toggle } = useDrawer();
  const status = useDrawerStatus();
  return (
    <nav className="bottom" aria-label="Drawers">
      <ul>
        {DRAWERS.map((name) => (
          <li key={name}>
            <button
              type="button"
              className="drawer-tab"
              aria-expanded={drawer === name}
              aria-controls="drawer"
              data-busy={status[name].busy}
              onClick={() => toggle(name)}
            >
              <strong>{DRAWER_TITLES[name]}</strong> <span className="soft">{status[name].text}</span>
            </button>
          </li>
        ))}
      </ul>
      <MeasuredLine />
    </nav>
  );
}

/** What is being measured, or on what the figures were. */
function MeasuredLine() {
  const { data: model } = useModel();
  const { measureWindows, measureLength } = useMeasureSettings();
  const isShipped = useStudio(({ measureText }) => measureText.kind === 'embedded');
  const { tasks, sweepFailure, autoMeasure } = useStudioFields('tasks', 'sweepFailure', 'autoMeasure');
  if (sweepFailure) return <p className="measured-line failed">{sweepFailure}</p>;
  if (tasks.perplexity)
    return <p className="measured-line">{taskText(tasks.perplexity, 'measuring perplexity', Date.now())}</p>;
  if (tasks.speed) return <p className="measured-line">measuring speed, in turns</p>;
  if (!model) return <p className="measured-line">opening the model</p>;
  if (!autoMeasure) return <p className="measured-line">measuring is off: Compare turns it on</p>;
  return (
    <p className="measured-line">
      {measureWindows} × {measureLength} tokens, {isShipped ? 'held-out' : 'your text'}, this machine
    </p>
  );
}
