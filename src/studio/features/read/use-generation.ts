import { useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import { CancelledError } from '../../../errors.ts';
import type { Plan } from '../../../plan/plan.ts';
import type { Repair } from '../../../worker/engine.ts';
import { studioEngine } from '../../data/engine.ts';
import { formatPercent } from '../../parts/format.ts';
import { type StudioState, useStudio } from '../../store.ts';
import { planFingerprint, trainingFingerprint } from '../plan/plan-fingerprint.ts';
import { repairFor, repairKey, repairSuffix } from '../plan/repair.ts';
import { type Asked, type Side, tokensOf } from './slice.ts';

/** What one side is to write, and with which model. */
interface Wish extends Asked {
  readonly side: Side;
  /** `null` is the dense model. */
  readonly plan: Plan | null;
  /** Number of the recovered model, where it is one. */
  readonly recovered?: number;
}

/** What a text depends on beside its model. */
function drawKey(state: StudioState, chat: boolean): string {
  const { prompt, maxNewTokens, temperature, generateSeed, topK, topP, repetitionPenalty, opening } = state;
  return JSON.stringify([
    ...[prompt, maxNewTokens, temperature, generateSeed],
    ...[topK, topP, repetitionPenalty, chat, opening],
  ]);
}

/** The texts of the present plan, the pruned one first: it is what the reader waits for. Without a plan the dense model writes alone. */
function wishesFor(plan: Plan | undefined, chat: boolean, state: StudioState): Wish[] {
  const draw = drawKey(state, chat);
  const { recovered } = state;
  const wishes: Wish[] = [{ side: 'dense', plan: null, ran: 'dense', key: `${draw} dense` }];
  if (plan) {
    const { compensate = 'none' } = plan.recipe;
    wishes.unshift({
      ...{ side: 'pruned', plan, ran: `${formatPercent(plan.ratio)} removed${repairSuffix(plan.recipe)}` },
      key: [draw, planFingerprint(plan), compensate, compensate === 'none' ? '' : repairKey(state)].join(' '),
    });
  }
  if (recovered)
    wishes.push({
      ...{ side: 'recovered', plan: recovered.plan, ran: recovered.name, recovered: recovered.result.recovered },
      key: `${draw} ${trainingFingerprint(recovered)}`,
    });
  return wishes;
}

/** Whether a side has the text of a wish, whole. */
function isWritten({ side, key }: Wish, { panes }: StudioState): boolean {
  const pane = panes[side];
  return pane.status === 'done' && pane.key === key;
}

/** Writes from one prompt with the pruned, the dense and the recovered model, one after the other, so that each speed is its own. */
export function useGeneration() {
  const client = useQueryClient();
  return useMemo(() => {
    let controller: AbortController | undefined;
    const stop = () => controller?.abort();
    /** Writes what is not there yet; `anew` writes all. */
    const run = async (plan: Plan | undefined, chat: boolean, anew = false) => {
      stop();
      const own = new AbortController();
      controller = own;
      const { signal } = own;
      const wishes = wishesFor(plan, chat, useStudio.getState()).filter(
        (wish) => anew || !isWritten(wish, useStudio.getState()),
      );
      if (wishes.length === 0) return;
      const { beginTask, endTask, setPane, panes } = useStudio.getState();
      beginTask('generate');
      for (const { side, key, ran } of wishes) {
        const pane = panes[side];
        const before = pane.status === 'waiting' ? pane.before : 'tokens' in pane ? pane : undefined;
        setPane(side, {
          status: 'waiting',
          ...{ key, ran },
          before: before && { key: before.key, ran: before.ran, tokens: before.tokens },
        });
      }
      try {
        for (const wish of wishes) {
          if (signal.aborted) return;
          const repair =
            wish.recovered === undefined ? await repairFor(client, wish.plan) : { recovered: wish.recovered };
          await write(wish, chat, repair, signal);
        }
      } finally {
        if (controller === own) endTask('generate');
        if (controller === own) for (const { side, key } of wishes) giveUpWaiting(side, key);
        // A device that was lost on the way may have been replaced by another backend.
        void client.invalidateQueries({ queryKey: ['backend'] });
      }
    };
    return { run, stop };
  }, [client]);
}

/** A side whose turn did not come shows what it had before. */
function giveUpWaiting(side: Side, key: string): void {
  const { panes, setPane } = useStudio.getState();
  const pane = panes[side];
  if (pane.status === 'waiting' && pane.key === key)
    setPane(side, pane.before ? { status: 'stopped', ...pane.before } : { status: 'idle' });
}

async function write(
  { side, plan, key, ran }: Wish,
  chat: boolean,
  repair: Repair | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { prompt, maxNewTokens, temperature, generateSeed, topK, topP, repetitionPenalty, setPane, addToken } =
    useStudio.getState();
  /** Another prompt, or another asking, has taken the place meanwhile. */
  const isOurs = () => {
    const pane = useStudio.getState().panes[side];
    return pane.status !== 'idle' && pane.key === key;
  };
  const tokens = () => {
    const pane = useStudio.getState().panes[side];
    return pane.status === 'waiting' ? [] : tokensOf(pane);
  };
  try {
    const engine = await studioEngine();
    const result = await engine.generate(
      plan,
      { prompt, maxNewTokens, temperature, topK, topP, repetitionPenalty, seed: generateSeed, chat, repair },
      { signal, onToken: (token) => !signal.aborted && isOurs() && addToken(side, token) },
    );
    if (isOurs() && !signal.aborted) setPane(side, { status: 'done', key, ran, tokens: tokens(), result });
  } catch (error) {
    if (!isOurs()) return;
    if (error instanceof CancelledError) setPane(side, { status: 'stopped', key, ran, tokens: tokens() });
    else setPane(side, { status: 'failed', key, ran, message: error instanceof Error ? error.message : String(error) });
  }
}
