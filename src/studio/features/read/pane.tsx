import type { CSSProperties } from 'react';
import type { GeneratedToken, Generation } from '../../../worker/engine.ts';
import { formatPercent, formatSeconds, formatSpeed } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { type PaneState, type Side, tokensOf } from './slice.ts';

interface PaneProps {
  readonly side: Side;
  readonly title: string;
  readonly pane: PaneState;
  /** What stands in place of a text that nobody has begun. */
  readonly idle?: string | undefined;
  /** Decode speed in tokens per second, measured in turns with the other model; absent where it is not. */
  readonly speed?: number | undefined;
  /** Index of the first token that the dense model would not have written. */
  readonly divergesAt: number | undefined;
  readonly showDoubt: boolean;
}

/** One model's continuation: streaming, whole, or the one before while a new one is waited for. */
export function Pane({ side, title, pane, idle = 'Nothing written yet.', speed, divergesAt, showDoubt }: PaneProps) {
  const tokens = tokensOf(pane);
  const split = divergesAt ?? tokens.length;
  const isBusy = pane.status === 'streaming' || pane.status === 'waiting';
  return (
    <article className="pane" data-pane={side} data-status={pane.status}>
      <h3>
        {title}
        <span className="pane-foot" title={pane.status === 'done' ? onceWritten(pane.result) : undefined}>
          {paneFoot(pane, speed, divergesAt)}
        </span>
      </h3>
      <p className="pane-text" aria-busy={isBusy}>
        {pane.status === 'idle' && <span className="soft">{idle}</span>}
        {pane.status === 'waiting' && tokens.length === 0 && <span className="soft">about to write…</span>}
        <TokenText tokens={withoutFirstSpace(tokens.slice(0, split))} showDoubt={showDoubt} />
        {split < tokens.length && (
          <span className="diverged">
            <TokenText tokens={tokens.slice(split)} showDoubt={showDoubt} />
          </span>
        )}
        {pane.status === 'streaming' && <span className="caret" aria-hidden="true" />}
      </p>
      {pane.status === 'failed' && <Notice kind="error">{pane.message}</Notice>}
      {pane.status === 'done' &&
        pane.result.notes?.map((note) => (
          <Notice key={note} kind="note">
            {note}
          </Notice>
        ))}
    </article>
  );
}

/** The continuation stands by itself: the space that parts it from the prompt is left out. */
export function withoutFirstSpace(tokens: readonly GeneratedToken[]): readonly GeneratedToken[] {
  const [first, ...rest] = tokens;
  return first ? [{ ...first, text: first.text.trimStart() }, ...rest] : tokens;
}

/** Text of tokens; shaded, the less probable the model found a token the stronger. */
function TokenText({ tokens, showDoubt }: { readonly tokens: readonly GeneratedToken[]; readonly showDoubt: boolean }) {
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

/** How fast this one text came: once, beside whatever else ran, so that two texts cannot be held against each other by it. */
function onceWritten({ timeToFirstToken, decodeTokensPerSecond }: Generation): string {
  return `this text: first token after ${formatSeconds(timeToFirstToken)}, then ${formatSpeed(decodeTokensPerSecond)} tokens/s, once`;
}

function paneFoot(pane: PaneState, speed: number | undefined, divergesAt: number | undefined): string {
  const divergence = divergesAt === undefined ? '' : ` · differs from token ${divergesAt + 1}`;
  switch (pane.status) {
    case 'idle':
    case 'failed':
      return '';
    case 'waiting':
      return pane.before ? 'writing anew…' : '';
    case 'streaming':
      return `${pane.tokens.length} tokens${divergence}`;
    case 'stopped':
      return `stopped after ${pane.tokens.length} tokens${divergence}`;
    case 'done':
      return `${speed === undefined ? `${pane.tokens.length} tokens` : `${formatSpeed(speed)} tokens/s`}${divergence}`;
  }
}
