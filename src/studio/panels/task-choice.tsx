import { useId, useState } from 'react';
import { readTask, type Task } from '../../evaluate/tasks.ts';
import { promptFormat } from '../../evaluate/tasks-prompts.ts';
import { Notice } from '../parts/notice.tsx';
import { useStudio } from '../state/store.ts';

/** The task shipped with the page, or a file of the reader's: JSON lines with `query`, `choices` and `gold`. */
export function TaskChoice({ task }: { readonly task: Task | undefined }) {
  const fileId = useId();
  const chosen = useStudio((state) => state.chosenTask);
  const setZeroShot = useStudio((state) => state.setZeroShot);
  const [problem, setProblem] = useState<string>();
  const pick = async (file: File | undefined) => {
    if (!file) return;
    try {
      const own = readTask({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) });
      setZeroShot({ chosenTask: { kind: 'own', task: own } });
      setProblem(undefined);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div className="field text-choice">
      <span className="field-label">Task</span>
      <span className="file-choice">
        <span className="file-name">{task ? `${task.name}${chosen.kind === 'own' ? '' : ', shipped'}` : '…'}</span>
        <label className="button quiet" htmlFor={fileId}>
          File
        </label>
        <input
          id={fileId}
          className="visually-hidden"
          type="file"
          accept=".jsonl,.ndjson"
          aria-label="Task: choose a file"
          onChange={(event) => void pick(event.target.files?.[0])}
        />
        {chosen.kind === 'own' && (
          <button type="button" className="quiet" onClick={() => setZeroShot({ chosenTask: { kind: 'embedded' } })}>
            Shipped task
          </button>
        )}
      </span>
      {problem && <Notice kind="error">{problem}</Notice>}
    </div>
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
      <p className="soft">The model reads the text and then each choice. The choice that it finds most likely is its answer.</p>
    </details>
  );
}
