import type { Progress } from '../../progress.ts';
import type { RunningTask, TaskName } from '../features/frame/tasks-slice.ts';
import { useStudio } from '../store.ts';
import { formatBytes, formatCount, formatSeconds } from './format.ts';

/** Progress of a long step: bar, what is done, rate, time left, cancel. Renders nothing when the step is not running. */
export function TaskProgress({
  name,
  label,
  onCancel,
  cancelLabel = 'Cancel',
}: {
  readonly name: TaskName;
  readonly label: string;
  readonly onCancel?: (() => void) | undefined;
  readonly cancelLabel?: string;
}) {
  const task = useStudio((state) => state.tasks[name]);
  if (!task) return null;
  const share = task.progress && task.progress.total > 0 ? task.progress.completed / task.progress.total : undefined;
  return (
    <div className="task" data-task={name}>
      <progress aria-label={label} max={1} value={share} />
      <span className="task-text">{taskText(task, label, Date.now())}</span>
      {onCancel && (
        <button type="button" className="quiet" onClick={onCancel}>
          {cancelLabel}
        </button>
      )}
    </div>
  );
}

/** "Perplexity · 12 of 32 windows · 3.1/s · 7 s left", "Scoring · 40% · 7 s left". */
export function taskText(task: RunningTask, label: string, now: number): string {
  const { progress } = task;
  if (!progress || progress.total === 0) return label;
  const { stage, completed, total, unit } = progress;
  const amount = amountText(progress);
  const seconds = (now - task.stageStartedAt) / 1000;
  const parts = [stage, amount];
  // What was there before does not count for the rate.
  const made = completed - task.stageStartedFrom;
  if (made > 0 && seconds > 0.5 && completed < total) {
    const rate = made / seconds;
    if (unit === 'bytes') parts.push(`${formatBytes(rate)}/s`);
    else if (unit !== 'passes') parts.push(`${rate < 10 ? rate.toFixed(1) : formatCount(rate)}/s`);
    parts.push(`${formatSeconds((total - completed) / rate)} left`);
  }
  return parts.join(' · ');
}

/** Passes of windows through layers are nothing that a reader counts: they asked for windows. */
function amountText({ completed, total, unit }: Progress): string {
  if (unit === 'bytes') return `${formatBytes(completed)} of ${formatBytes(total)}`;
  if (unit === 'passes') return `${Math.floor((100 * completed) / total)}%`;
  return `${formatCount(completed)} of ${formatCount(total)} ${unit}`;
}
