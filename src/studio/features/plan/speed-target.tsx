import { useState } from 'react';
import { formatPercent } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { NumberField } from '../../parts/number-field.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudio } from '../../store.ts';
import { useJobs } from '../frame/jobs.tsx';
import type { SpeedTarget } from './use-speed-target.ts';

/** A target as people have it: at least so many tokens per second on this machine. */
export function SpeedTargetField() {
  const job = useJobs().speedTarget;
  const isBusy = useStudio((state) => state.tasks.speed !== undefined);
  const target = useStudio((state) => state.recipe.target);
  const [wanted, setWanted] = useState(50);
  const found = job.data;
  const isOfThis = found && target.kind === 'ratio' && target.value === found.ratio;
  return (
    <details className="speed-target small">
      <summary>At least so many tokens per second, here</summary>
      <div className="fields">
        <NumberField
          label="At least"
          unit="tokens/s"
          value={wanted}
          min={0.1}
          max={1e5}
          step={0.1}
          onChange={setWanted}
        />
        <div className="field field-action">
          <button type="button" disabled={isBusy} onClick={() => job.mutate(wanted)}>
            Find the ratio
          </button>
        </div>
      </div>
      {job.isPending && <TaskProgress name="speed" label="Measuring speed" onCancel={job.cancel} />}
      {job.error && job.error.name !== 'CancelledError' && <Notice kind="error">{job.error.message}</Notice>}
      {isOfThis && <p role="status">{sentence(found)}</p>}
    </details>
  );
}

function sentence({ wanted, whole, points, ratio }: SpeedTarget): string {
  const curve = points.map(({ ratio: removed, times }) => `×${times.toFixed(2)} at ${formatPercent(removed)}`);
  return `${formatPercent(ratio)} removed for ${wanted} tokens per second in f32: the whole model writes ${whole.toFixed(1)} here, and measured were ${curve.join(', ')}.`;
}
