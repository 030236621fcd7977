import { readTask, type Task } from '../../../evaluate/tasks.ts';
import { promptFormat } from '../../../evaluate/tasks-prompts.ts';
import { FileChoice } from '../../parts/file-choice.tsx';
import { useStudio } from '../../store.ts';

/** The task shipped with the page, or a file of the reader's: JSON lines with `query`, `choices` and `gold`. */
export function TaskChoice({ task }: { readonly task: Task | undefined }) {
  const chosen = useStudio((state) => state.chosenTask);
  const setZeroShot = useStudio((state) => state.setZeroShot);
  return (
    <FileChoice
      label="Task"
      name={task ? `${task.name}${chosen.kind === 'own' ? '' : ', shipped'}` : '…'}
      accept=".jsonl,.ndjson"
      take={(name, bytes) => setZeroShot({ chosenTask: { kind: 'own', task: readTask({ name, bytes }) } })}
      back={
        chosen.kind === 'own'
          ? { label: 'Shipped task', choose: () => setZeroShot({ chosenTask: { kind: 'embedded' } }) }
          : undefined
      }
    />
  );
}

/** The first question as the model reads it, its choices, and which one is right. */
export function TaskExample({ task }: { readonly task: Task }) {
  const [item] = task.items;
  if (!item) return null;
  const { context, choices } = promptFormat(task.name)(item);
  return (
    <details className="task-example small">
      <summary>What the model reads</summary>
      <p className="task-context">{context}</p>
      <ol className="task-choices">
        {choices.map((choice, index) => (
          <li key={choice} className={index === item.gold ? 'gold' : undefined}>
            {choice.trim()}
            {index === item.gold && <span className="soft"> (right)</span>}
          </li>
        ))}
      </ol>
      <p className="soft">
        The model reads the text and then each choice. The choice that it finds most likely is its answer.
      </p>
    </details>
  );
}
