import { useEffect, useRef, useState } from 'react';
import { useStudio } from '../../store.ts';
import type { TaskName } from './tasks-slice.ts';

const NAMES: Readonly<Record<TaskName, string>> = {
  model: 'Opening the model',
  score: 'Scoring',
  sample: 'Writing a text',
  perplexity: 'Measuring perplexity',
  speed: 'Measuring speed',
  generate: 'Generating',
  export: 'Building',
  publish: 'Publishing',
  vocabulary: 'Measuring the vocabulary',
  tasks: 'Measuring zero-shot accuracy',
  refine: 'Refining the plan',
  passes: 'Planning in passes',
  comparison: 'Comparing methods',
  device: 'Measuring this device',
  recover: 'Recovering',
};
/** What a reader who listens asked for; measuring in the background is not told. */
const TOLD: readonly TaskName[] = [
  'model',
  'score',
  'sample',
  'generate',
  'export',
  'publish',
  'vocabulary',
  'tasks',
  'refine',
  'passes',
  'comparison',
  'device',
  'recover',
];

/** Tells screen readers when long steps begin, pass a quarter, and end. */
export function Announcer() {
  const tasks = useStudio((state) => state.tasks);
  const quarters = useRef(new Map<TaskName, number>());
  const [text, setText] = useState('');
  useEffect(() => {
    for (const name of TOLD) {
      const task = tasks[name];
      const before = quarters.current.get(name);
      if (!task) {
        if (before !== undefined) {
          quarters.current.delete(name);
          setText(`${NAMES[name]}: ended`);
        }
        continue;
      }
      const { completed = 0, total = 0 } = task.progress ?? {};
      const quarter = total > 0 ? Math.floor((4 * completed) / total) : 0;
      if (before === quarter) continue;
      quarters.current.set(name, quarter);
      setText(quarter === 0 ? `${NAMES[name]}…` : `${NAMES[name]}: ${quarter * 25}%`);
    }
  }, [tasks]);
  return (
    <p className="visually-hidden" role="status">
      {text}
    </p>
  );
}
