import { useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { CancelledError } from '../../../errors.ts';
import type { Plan } from '../../../plan/plan.ts';
import type { Repair } from '../../../worker/engine.ts';
import { studioEngine } from '../../data/engine.ts';
import { formatPercent } from '../../parts/format.ts';
import { useStudio } from '../../store.ts';
import { repairFor, repairSuffix } from '../plan/repair.ts';
import type { Side } from './slice.ts';

/** Generates from one prompt with the dense model, then with the pruned one and the recovered one where there is one: one after the other, so that each speed is its own. */
export function useGeneration(plan: Plan | undefined, chat: boolean) {
  const client = useQueryClient();
  const controller = useRef<AbortController>(undefined);
  const run = async () => {
    if (!plan) return;
    controller.current?.abort();
    controller.current = new AbortController();
    const { signal } = controller.current;
    const { beginTask, endTask, setPane, recovered } = useStudio.getState();
    beginTask('generate');
    setPane('dense', { status: 'waiting' });
    setPane('pruned', { status: 'waiting' });
    if (recovered) setPane('recovered', { status: 'waiting' });
    try {
      await generateInto('dense', null, 'dense', chat, undefined, signal);
      await generateInto(
        'pruned',
        plan,
        `${formatPercent(plan.ratio)} removed${repairSuffix(plan.recipe)}`,
        chat,
        await repairFor(client, plan),
        signal,
      );
      if (recovered)
        await generateInto(
          'recovered',
          recovered.plan,
          recovered.name,
          chat,
          { recovered: recovered.result.recovered },
          signal,
        );
    } finally {
      if (!signal.aborted || controller.current?.signal === signal) endTask('generate');
      // A device that was lost on the way may have been replaced by another backend.
      void client.invalidateQueries({ queryKey: ['backend'] });
    }
  };
  return { run, stop: () => controller.current?.abort() };
}

async function generateInto(
  side: Side,
  plan: Plan | null,
  ran: string,
  chat: boolean,
  repair: Repair | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { prompt, maxNewTokens, temperature, generateSeed, setPane, addToken } = useStudio.getState();
  const tokens = () => {
    const pane = useStudio.getState().panes[side];
    return pane.status === 'streaming' ? pane.tokens : [];
  };
  if (signal.aborted) return setPane(side, { status: 'stopped', tokens: [] });
  try {
    const engine = await studioEngine();
    const result = await engine.generate(
      plan,
      { prompt, maxNewTokens, temperature, seed: generateSeed, chat, repair },
      { signal, onToken: (token) => addToken(side, token) },
    );
    setPane(side, { status: 'done', tokens: tokens(), result, ran });
  } catch (error) {
    if (error instanceof CancelledError) setPane(side, { status: 'stopped', tokens: tokens() });
    else setPane(side, { status: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}
