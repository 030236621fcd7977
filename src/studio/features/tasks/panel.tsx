import { useRef } from 'react';
import { svgFile } from '../../charts/svg-file.ts';
import { type TaskBar, TaskBars } from '../../charts/task-bars.tsx';
import { useWidth } from '../../charts/use-width.ts';
import { useModel } from '../../data/use-engine.ts';
import { formatShare } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { NumberField } from '../../parts/number-field.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Segmented } from '../../parts/segmented.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudio, useStudioFields } from '../../store.ts';
import { useJobs } from '../frame/jobs.tsx';
import { download } from '../take-away/use-export.ts';
import { TaskChoice, TaskExample } from './task-choice.tsx';
import { type TaskRow, tasksCsv } from './task-rows.ts';
import { TaskTable } from './task-table.tsx';
import { useTaskRows } from './use-tasks.ts';

const METRICS = [
  { value: 'accuracy', label: 'accuracy' },
  { value: 'accuracyNormalized', label: 'by bytes' },
] as const;
const THROUGH = [
  { value: 'blocks', label: 'on the bench' },
  { value: 'decoder', label: 'exported' },
] as const;

/** Zero-shot accuracy: multiple-choice questions, dense against pruned on the same items. */
export function TasksPanel() {
  const { data: model } = useModel();
  const { task, part, error, subjects, rows } = useTaskRows();
  const { taskItems, taskThrough, taskMethods, taskMetric, comparedMethods, tasks, setZeroShot } = useStudioFields(
    'taskItems',
    'taskThrough',
    'taskMethods',
    'taskMetric',
    'comparedMethods',
    'tasks',
    'setZeroShot',
  );
  const run = useJobs().tasks;
  const running = tasks.tasks !== undefined;
  const wanted = (part?.items.length ?? 0) * subjects.length;
  const done = rows.reduce((sum, { result }) => sum + (result?.items ?? 0), 0);
  return (
    <Panel
      id="zero-shot"
      title="Zero-shot"
      hint="Which choice does the model find most likely? Questions that it was not trained for."
    >
      <div className="fields">
        <TaskChoice task={task} />
        <NumberField
          label="First items"
          unit={task ? `of ${task.items.length}` : ''}
          value={taskItems}
          min={1}
          max={100_000}
          onChange={(value) => setZeroShot({ taskItems: Math.round(value) })}
        />
        <div className="field">
          <span className="field-label">Model</span>
          <Segmented
            label="Model"
            options={THROUGH}
            value={taskThrough}
            onChange={(through) => setZeroShot({ taskThrough: through })}
          />
        </div>
        <label className="check">
          <input
            type="checkbox"
            checked={taskMethods}
            onChange={(event) => setZeroShot({ taskMethods: event.target.checked })}
          />
          also the {comparedMethods.length} methods chosen under Compare
        </label>
        <div className="field field-action">
          <button
            type="button"
            className="primary"
            disabled={!model || !part || running || subjects.length === 0 || done >= wanted}
            onClick={() => part && run.mutate({ task: part, subjects })}
          >
            {done > 0 && done < wanted ? 'Go on' : 'Measure'}
          </button>
        </div>
      </div>
      <div className="task-slot">
        <TaskProgress name="tasks" label="Measuring" onCancel={run.cancel} />
        {!running && <p className="soft small">{restSentence(done, wanted)}</p>}
        {run.error && run.error.name !== 'CancelledError' && <Notice kind="error">{run.error.message}</Notice>}
        {error && <Notice kind="error">{error.message}</Notice>}
      </div>
      <div className="task-results">
        <div>
          <TaskTable rows={rows} metric={taskMetric} items={part?.items.length ?? 0} />
          {part && <TaskExample task={part} />}
        </div>
        <TaskChart rows={rows} taskName={part?.name ?? ''} />
      </div>
    </Panel>
  );
}

/** What is left to measure, for people. */
function restSentence(done: number, wanted: number): string {
  if (wanted === 0) return 'Waiting for a model and a task.';
  if (done === 0) return 'Nothing measured yet.';
  if (done < wanted) return `${done} of ${wanted} answers are there, kept from before. "Go on" measures the rest.`;
  return 'All measured. ± is one standard error over the items; against dense, in points, on the same items.';
}

function TaskChart({ rows, taskName }: { readonly rows: readonly TaskRow[]; readonly taskName: string }) {
  const { ref, width } = useWidth<HTMLDivElement>();
  const chart = useRef<HTMLDivElement>(null);
  const metric = useStudio((state) => state.taskMetric);
  const setZeroShot = useStudio((state) => state.setZeroShot);
  const results = rows.flatMap(({ id, name, result }) => (result ? [{ id, name, result }] : []));
  const bars = results.map(({ id, name, result }) => ({
    ...{ id, name, kind: kindOf(id), value: result[metric] },
    error: metric === 'accuracy' ? result.standardError : result.standardErrorNormalized,
  }));
  const saveChart = () => {
    const svg = chart.current?.querySelector('svg');
    if (svg) download(`${taskName}.svg`, svgFile([svg]));
  };
  return (
    <div className="task-chart" ref={ref}>
      <div ref={chart}>
        <TaskBars
          title={metric === 'accuracy' ? 'Accuracy' : 'Accuracy by bytes'}
          unit={taskName}
          bars={bars}
          chance={results[0]?.result.chance}
          format={formatShare}
          width={Math.max(220, width)}
        />
      </div>
      <div className="task-foot">
        <Segmented
          label="Chart shows"
          options={METRICS}
          value={metric}
          onChange={(chosen) => setZeroShot({ taskMetric: chosen })}
        />
        <button
          type="button"
          className="link"
          disabled={bars.length === 0}
          onClick={() => download(`${taskName}.csv`, new Blob([tasksCsv(taskName, rows)], { type: 'text/csv' }))}
        >
          Table, CSV
        </button>
        <button type="button" className="link" disabled={bars.length === 0} onClick={saveChart}>
          Chart, SVG
        </button>
      </div>
    </div>
  );
}

function kindOf(id: string): TaskBar['kind'] {
  return id === 'dense' ? 'dense' : id === 'plan' ? 'chosen' : id === 'recovered' ? 'recovered' : 'other';
}
