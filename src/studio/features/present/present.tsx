import { useEffect, useRef } from 'react';
import { useModel } from '../../data/use-engine.ts';
import { formatBytes, formatPercent, formatPerplexity } from '../../parts/format.ts';
import { useStudio, useStudioFields } from '../../store.ts';
import { LARGEST_RATIO, RatioSlider } from '../curve/ratio-slider.tsx';
import { usePerplexityFigure, useSpeedFigure } from '../figures/use-figures.ts';
import { useJobs } from '../frame/jobs.tsx';
import { usePlan, usePlanSummary, useRatio, useReach } from '../plan/use-plan.ts';
import { withoutFirstSpace } from '../read/pane.tsx';
import { firstDifference, tokensOf } from '../read/slice.ts';

/** Dense and pruned in large type, for a room: texts as they are written, size, perplexity and speed, and where to find the page. */
export function Present() {
  const presenting = useStudio((state) => state.presenting);
  return presenting ? <Stage /> : null;
}

function Stage() {
  const dialog = useRef<HTMLDialogElement>(null);
  const { prompt, panes, useChat, setBench, tasks } = useStudioFields(
    'prompt',
    'panes',
    'useChat',
    'setBench',
    'tasks',
  );
  const { data: model } = useModel();
  const outcome = usePlan();
  const summary = usePlanSummary();
  const ratio = useRatio();
  const reach = useReach(LARGEST_RATIO);
  const perplexity = usePerplexityFigure();
  const speed = useSpeedFigure();
  const { run } = useJobs().generation;
  const plan = outcome?.ok ? outcome.plan : undefined;
  const [dense, pruned] = [withoutFirstSpace(tokensOf(panes.dense)), withoutFirstSpace(tokensOf(panes.pruned))];
  const split = firstDifference(dense, pruned) ?? pruned.length;
  useEffect(() => {
    const element = dialog.current;
    if (element && !element.open) element.showModal();
  }, []);
  const words = (tokens: readonly { readonly text: string }[]) => tokens.map(({ text }) => text).join('');
  return (
    <dialog ref={dialog} className="stage" aria-label="Presentation" onClose={() => setBench({ presenting: false })}>
      <header className="stage-head">
        <p className="stage-prompt">{prompt}</p>
        <button
          type="button"
          disabled={!model || tasks.generate !== undefined}
          onClick={() => void run(plan, useChat && (model?.chat ?? false), true)}
        >
          Write again
        </button>
        <button type="button" onClick={() => dialog.current?.close()}>
          Leave
        </button>
      </header>
      <div className="stage-panes">
        <article>
          <h2>Dense</h2>
          <p className="stage-figures">
            {summary && formatBytes(summary.bytesBefore)}
            {perplexity?.dense !== undefined && ` · perplexity ${formatPerplexity(perplexity.dense)}`}
          </p>
          <p className="stage-text">{words(dense)}</p>
        </article>
        <article className="stage-pruned">
          <h2>Pruned, {formatPercent(ratio)}</h2>
          <p className="stage-figures">
            {summary && formatBytes(summary.bytesAfter)}
            {perplexity && ` · perplexity ${perplexity.isExact ? '' : '≈ '}${formatPerplexity(perplexity.value)}`}
            {speed?.value && ` · speed ${speed.value}`}
          </p>
          <p className="stage-text">
            {words(pruned.slice(0, split))}
            <span className="diverged">{words(pruned.slice(split))}</span>
          </p>
        </article>
      </div>
      <footer className="stage-foot">
        <RatioSlider ratio={ratio} reach={reach} label="Ratio to remove, presented" />
        <span className="stage-link">
          {globalThis.location.host}
          {globalThis.location.pathname.replace(/\/$/, '')}
        </span>
      </footer>
    </dialog>
  );
}
