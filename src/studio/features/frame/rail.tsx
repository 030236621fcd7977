import { useEffect, useState } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { useModel, useScores } from '../../data/use-engine.ts';
import { formatCount, formatPercent, formatPerplexity, formatShare } from '../../parts/format.ts';
import { useStudio } from '../../store.ts';
import { useCurrentMeasurements } from '../compare/measurements.ts';
import { ratioKey } from '../compare/sweep.ts';
import { usePlan } from '../plan/use-plan.ts';
import { useTaskRows } from '../tasks/use-tasks.ts';

type StepState = 'ready' | 'busy' | 'open';
interface Step {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly state: StepState;
}

/** The steps with what stands in each: where one is, and what is running. */
export function Rail() {
  const steps = useSteps();
  const current = useCurrentSection(steps.map(({ id }) => id));
  return (
    <nav className="rail" aria-label="Steps">
      <ol>
        {steps.map(({ id, name, status, state }) => (
          <li key={id}>
            <a href={`#${id}`} className={`step step-${state}`} aria-current={current === id ? 'step' : undefined}>
              <span className="step-name">{name}</span>
              <span className="step-status">{status}</span>
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}

function useSteps(): Step[] {
  const { data: model } = useModel();
  const { data: scores } = useScores();
  const outcome = usePlan();
  const { tasks, panes, scoresChoice, runs, recovered } = useStudio(
    useShallow(({ tasks, panes, scoresChoice, runs, recovered }) => ({ tasks, panes, scoresChoice, runs, recovered })),
  );
  const measured = useCurrentMeasurements();
  const accuracies = useAccuracies();
  const plan = outcome?.ok ? outcome.plan : undefined;
  const dense = measured.perplexity.get(0);
  const pruned = plan && measured.perplexity.get(ratioKey(plan.ratio));
  const busy = (isBusy: boolean, isReady: boolean): StepState => (isBusy ? 'busy' : isReady ? 'ready' : 'open');
  return [
    {
      id: 'model',
      name: 'Model',
      status: model
        ? `${model.name}, ${formatCount(model.parameters)}`
        : scores
          ? `${scores.model.name}, opening`
          : 'opening',
      state: busy(tasks.model !== undefined, model !== undefined),
    },
    {
      id: 'calibration',
      name: 'Calibration',
      status: tasks.score
        ? 'scoring'
        : scores
          ? `${scores.calibration.windows} × ${scores.calibration.length} tokens`
          : '–',
      state: busy(tasks.score !== undefined, scores !== undefined),
    },
    {
      id: 'importance',
      name: 'Importance',
      status: scores ? (scoresChoice.kind === 'run' ? 'your run' : 'precomputed') : '–',
      state: busy(false, scores !== undefined),
    },
    {
      id: 'plan',
      name: 'Plan',
      status: plan ? `${formatPercent(plan.ratio)} off, ${formatCount(plan.parametersAfter)}` : '–',
      state: busy(false, plan !== undefined),
    },
    {
      id: 'compare',
      name: 'Compare',
      status:
        dense && pruned
          ? `${formatPerplexity(dense.perplexity)} → ${formatPerplexity(pruned.perplexity)}`
          : tasks.perplexity
            ? 'measuring'
            : 'perplexity, speed',
      state: busy(tasks.perplexity !== undefined || tasks.speed !== undefined, pruned !== undefined),
    },
    {
      id: 'history',
      name: 'History',
      status: runs.length === 0 ? 'measured recipes' : runs.length === 1 ? '1 recipe' : `${runs.length} recipes`,
      state: busy(false, runs.length > 0),
    },
    {
      id: 'zero-shot',
      name: 'Zero-shot',
      status: tasks.tasks ? 'measuring' : (accuracies ?? 'accuracy on tasks'),
      state: busy(tasks.tasks !== undefined, accuracies !== undefined),
    },
    {
      id: 'recovery',
      name: 'Recover',
      status: tasks.recover ? 'training' : recovered ? 'recovered' : 'a short training',
      state: busy(tasks.recover !== undefined, recovered !== undefined),
    },
    {
      id: 'generate',
      name: 'Read',
      status: tasks.generate ? 'writing' : panes.pruned.status === 'done' ? 'side by side' : 'dense and pruned',
      state: busy(tasks.generate !== undefined, panes.pruned.status === 'done'),
    },
    {
      id: 'take-away',
      name: 'Take away',
      status: tasks.export ? 'building' : 'ONNX',
      state: busy(tasks.export !== undefined, false),
    },
  ];
}

/** Zero-shot accuracy of the dense and the pruned model, once both have all items. */
function useAccuracies(): string | undefined {
  const { part, rows } = useTaskRows();
  const metric = useStudio((state) => state.taskMetric);
  const shares = ['dense', 'plan']
    .flatMap((id) => rows.find((row) => row.id === id)?.result ?? [])
    .filter(({ items }) => items === part?.items.length);
  return shares.length === 2 ? shares.map((result) => formatShare(result[metric])).join(' → ') : undefined;
}

/** The section that is at the top of the window. */
function useCurrentSection(ids: readonly string[]): string | undefined {
  const [current, setCurrent] = useState<string>();
  const key = ids.join();
  useEffect(() => {
    const sections = key.split(',').flatMap((id) => document.getElementById(id) ?? []);
    const visible = new Set<string>();
    const observer = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          if (entry.isIntersecting) visible.add(entry.target.id);
          else visible.delete(entry.target.id);
        }
        setCurrent(sections.find(({ id }) => visible.has(id))?.id);
      },
      { rootMargin: '-20% 0px -55% 0px' },
    );
    for (const section of sections) observer.observe(section);
    return () => observer.disconnect();
  }, [key]);
  return current;
}
