import { useId } from 'react';
import { useModel } from '../../data/use-engine.ts';
import { formatPercent } from '../../parts/format.ts';
import { useStudioFields } from '../../store.ts';
import { ratioKey } from '../compare/sweep.ts';
import { useKnownSpeed } from '../compare/use-known-speed.ts';
import { useJobs } from '../frame/jobs.tsx';
import { planFingerprint } from '../plan/plan-fingerprint.ts';
import { usePlan } from '../plan/use-plan.ts';
import { GenerateFields } from './generate-fields.tsx';
import { Pane } from './pane.tsx';
import { SamplePane, useShippedSample } from './sample.tsx';
import { firstDifference, type PaneState, tokensOf } from './slice.ts';

/** One prompt, two models: what the pruned one writes above what the dense one writes; with a recovered one a third. */
export function ReadPanel() {
  const { data: model } = useModel();
  const outcome = usePlan();
  const plan = outcome?.ok ? outcome.plan : undefined;
  const { prompt, showDoubt, useChat, panes, recovered, tasks, setPrompt } = useStudioFields(
    'prompt',
    'showDoubt',
    'useChat',
    'panes',
    'recovered',
    'tasks',
    'setPrompt',
  );
  const chat = useChat && (model?.chat ?? false);
  const { run, stop } = useJobs().generation;
  const promptId = useId();
  const running = tasks.generate !== undefined;
  const dense = tokensOf(panes.dense);
  const sample = useShippedSample();
  const { pruned } = panes;
  const isOfThisPlan =
    plan !== undefined &&
    (pruned.status === 'failed' ||
      (pruned.status !== 'idle' &&
        pruned.status !== 'waiting' &&
        tokensOf(pruned).length > 0 &&
        pruned.key.includes(planFingerprint(plan))));
  // A text that is written once, beside other work, says nothing of speed: only what was measured in turns is shown.
  const known = useKnownSpeed();
  const measured = plan && !known.isStale ? known.speed.get(ratioKey(plan.ratio)) : undefined;
  return (
    <section className="read" id="read" aria-label="Read">
      <form
        className="prompt"
        onSubmit={(event) => {
          event.preventDefault();
          void run(plan, chat, true);
        }}
      >
        <label className="visually-hidden" htmlFor={promptId}>
          Prompt
        </label>
        <textarea
          id={promptId}
          rows={2}
          value={prompt}
          spellCheck={false}
          placeholder={chat ? 'A message to the model' : 'The beginning of a text'}
          onChange={(event) => setPrompt(event.target.value)}
        />
        {running ? (
          <button type="button" className="quiet" onClick={stop}>
            Stop
          </button>
        ) : (
          <button type="submit" className="quiet" disabled={!model || prompt.trim() === ''}>
            Write
          </button>
        )}
      </form>
      {sample && !isOfThisPlan ? (
        <SamplePane side="pruned" {...sample.pruned} against={sample.dense.text} />
      ) : (
        <Pane
          side="pruned"
          title={['Pruned', shownModel(panes.pruned) ?? (plan && `${formatPercent(plan.ratio)} removed`)]
            .filter(Boolean)
            .join(', ')}
          pane={panes.pruned}
          idle={plan ? undefined : 'Waits for scores: without them nothing is pruned.'}
          speed={isOfThisPlan ? measured?.pruned.decode.value : undefined}
          divergesAt={firstDifference(dense, tokensOf(panes.pruned))}
          showDoubt={showDoubt}
        />
      )}
      {recovered && (
        <Pane
          side="recovered"
          title={`Recovered, ${recovered.name}`}
          pane={panes.recovered}
          divergesAt={firstDifference(dense, tokensOf(panes.recovered))}
          showDoubt={showDoubt}
        />
      )}
      {sample && dense.length === 0 ? (
        <SamplePane side="dense" {...sample.dense} against={undefined} />
      ) : (
        <Pane
          side="dense"
          title="Dense"
          pane={panes.dense}
          speed={measured?.dense.decode.value}
          divergesAt={undefined}
          showDoubt={showDoubt}
        />
      )}
      <details className="read-settings small">
        <summary>How it is written</summary>
        <div className="fields">
          <GenerateFields />
        </div>
      </details>
    </section>
  );
}

/** Whose text a pane shows: while a new one is waited for, the one before. */
function shownModel(pane: PaneState): string | undefined {
  if (pane.status === 'idle') return undefined;
  return pane.status === 'waiting' ? (pane.before?.ran ?? pane.ran) : pane.ran;
}
