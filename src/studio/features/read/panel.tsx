import { type CSSProperties, useId } from 'react';
import type { GeneratedToken } from '../../../worker/engine.ts';
import { useModel } from '../../data/use-engine.ts';
import { formatPercent, formatSeconds, formatSpeed } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { Panel } from '../../parts/panel.tsx';
import { useStudioFields } from '../../store.ts';
import { usePlan } from '../plan/use-plan.ts';
import { GenerateFields } from './generate-fields.tsx';
import type { PaneState, Side } from './slice.ts';
import { useGeneration } from './use-generation.ts';

/** One prompt, two models: dense and pruned side by side, streaming; with a recovered one a third. */
export function GeneratePanel() {
  const { data: model } = useModel();
  const outcome = usePlan();
  const plan = outcome?.ok ? outcome.plan : undefined;
  const { prompt, showDoubt, useChat, panes, recovered, setGenerate, tasks } = useStudioFields(
    'prompt',
    'showDoubt',
    'useChat',
    'panes',
    'recovered',
    'setGenerate',
    'tasks',
  );
  const isChat = useChat && (model?.chat ?? false);
  const { run, stop } = useGeneration(plan, isChat);
  const promptId = useId();
  const running = tasks.generate !== undefined;
  return (
    <Panel
      id="generate"
      title="Read"
      hint="The same prompt to both models. Damage shows in the text before it shows in a number."
    >
      <form
        className="prompt"
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <label className="field field-wide" htmlFor={promptId}>
          <span className="field-label">Prompt</span>
          <textarea
            id={promptId}
            rows={2}
            value={prompt}
            onChange={(event) => setGenerate({ prompt: event.target.value })}
          />
        </label>
        <div className="fields">
          <GenerateFields />
          <div className="field field-action">
            {running ? (
              <button type="button" onClick={stop}>
                Stop
              </button>
            ) : (
              <button type="submit" className="primary" disabled={!model || !plan || prompt.trim() === ''}>
                Generate
              </button>
            )}
          </div>
        </div>
      </form>
      <div className="panes" data-columns={recovered ? 3 : 2}>
        <Pane
          side="dense"
          title="Dense"
          pane={panes.dense}
          prompt={prompt}
          divergesAt={undefined}
          showDoubt={showDoubt}
          isChat={isChat}
        />
        <Pane
          side="pruned"
          title={
            panes.pruned.status === 'done'
              ? `Pruned, ${panes.pruned.ran}`
              : `Pruned, ${formatPercent(plan?.ratio ?? 0)} removed`
          }
          pane={panes.pruned}
          prompt={prompt}
          divergesAt={firstDifference(tokensOf(panes.dense), tokensOf(panes.pruned))}
          showDoubt={showDoubt}
          isChat={isChat}
        />
        {recovered && (
          <Pane
            side="recovered"
            title={`Recovered, ${recovered.name}`}
            pane={panes.recovered}
            prompt={prompt}
            divergesAt={firstDifference(tokensOf(panes.dense), tokensOf(panes.recovered))}
            showDoubt={showDoubt}
            isChat={isChat}
          />
        )}
      </div>
    </Panel>
  );
}

type Tokens = readonly GeneratedToken[];

function tokensOf(pane: PaneState): Tokens {
  return 'tokens' in pane ? pane.tokens : [];
}

/** Index of the first token that differs; undefined while the pruned text follows the dense one. */
function firstDifference(dense: Tokens, pruned: Tokens): number | undefined {
  const index = pruned.findIndex((token, place) => dense[place] !== undefined && dense[place]?.id !== token.id);
  return index === -1 ? undefined : index;
}

interface PaneProps {
  readonly side: Side;
  readonly title: string;
  readonly pane: PaneState;
  readonly prompt: string;
  readonly divergesAt: number | undefined;
  readonly showDoubt: boolean;
  /** The prompt was a message, not the beginning of the text. */
  readonly isChat: boolean;
}

function Pane({ side, title, pane, prompt, divergesAt, showDoubt, isChat }: PaneProps) {
  const tokens = tokensOf(pane);
  const split = divergesAt ?? tokens.length;
  return (
    <article className="pane" data-pane={side} data-status={pane.status}>
      <h3>{title}</h3>
      <p className="pane-text" aria-busy={pane.status === 'streaming' || pane.status === 'waiting'}>
        {pane.status === 'idle' ? (
          <span className="soft">Nothing generated yet.</span>
        ) : (
          <>
            <span className="pane-prompt">
              {prompt}
              {isChat && '\n\n'}
            </span>
            <TokenText tokens={tokens.slice(0, split)} showDoubt={showDoubt} />
            {split < tokens.length && (
              <span className="diverged">
                <TokenText tokens={tokens.slice(split)} showDoubt={showDoubt} />
              </span>
            )}
            {pane.status === 'streaming' && <span className="caret" aria-hidden="true" />}
          </>
        )}
      </p>
      {pane.status === 'failed' && <Notice kind="error">{pane.message}</Notice>}
      {pane.status === 'done' &&
        pane.result.notes?.map((note) => (
          <Notice key={note} kind="note">
            {note}
          </Notice>
        ))}
      <p className="pane-foot small soft">{paneFoot(pane, divergesAt)}</p>
    </article>
  );
}

/** Text of tokens; shaded, the less probable the model found a token the stronger. */
function TokenText({ tokens, showDoubt }: { readonly tokens: Tokens; readonly showDoubt: boolean }) {
  if (!showDoubt) return tokens.map(({ text }) => text).join('');
  return tokens.map(({ text, probability }, index) => (
    <span
      // biome-ignore lint/suspicious/noArrayIndexKey: a token is its place in the text.
      key={index}
      className="token"
      style={{ '--doubt': `${Math.round((1 - probability) * 55)}%` } as CSSProperties}
      title={`${formatPercent(probability)} sure`}
    >
      {text}
    </span>
  ));
}

function paneFoot(pane: PaneState, divergesAt: number | undefined): string {
  const divergence = divergesAt === undefined ? '' : ` · differs from token ${divergesAt + 1} on`;
  switch (pane.status) {
    case 'idle':
      return ' ';
    case 'waiting':
      return 'Waiting…';
    case 'streaming':
      return `${pane.tokens.length} tokens${divergence}`;
    case 'stopped':
      return `Stopped after ${pane.tokens.length} tokens${divergence}`;
    case 'failed':
      return ' ';
    case 'done': {
      const { decodeTokensPerSecond, timeToFirstToken } = pane.result;
      return `${pane.tokens.length} tokens · ${formatSpeed(decodeTokensPerSecond)} tokens/s · first token after ${formatSeconds(timeToFirstToken)}${divergence}`;
    }
  }
}
