import { useEffect, useRef } from 'react';
import { useModel } from '../../data/use-engine.ts';
import { useStudio, useStudioFields } from '../../store.ts';
import { useJobs } from '../frame/jobs.tsx';
import { usePlan } from '../plan/use-plan.ts';

/** The hand rests when the recipe stayed the same for this long. */
const REST_MILLISECONDS = 120;
/** Typing rests later than a slider. */
const TYPING_MILLISECONDS = 700;

/** Writes the texts anew when the hand rests: after a move of the slider, another recipe, another prompt. Whatever else the reader started goes first. */
export function useLiveReading(): void {
  const { data: model } = useModel();
  const outcome = usePlan();
  const plan = outcome?.ok ? outcome.plan : undefined;
  const { run, stop } = useJobs().generation;
  const { autoRead, prompt, useChat, recovered } = useStudioFields('autoRead', 'prompt', 'useChat', 'recovered');
  const drawn = useStudio(({ maxNewTokens, temperature, generateSeed, topK, topP, repetitionPenalty }) =>
    [maxNewTokens, temperature, generateSeed, topK, topP, repetitionPenalty].join(),
  );
  const chat = useChat && (model?.chat ?? false);
  const read = useRef(prompt);
  const busy = useStudio(({ tasks }) =>
    Object.keys(tasks).some((name) => name !== 'perplexity' && name !== 'speed' && name !== 'generate'),
  );
  // A text that is being written when the plan changes is of no use any more.
  // biome-ignore lint/correctness/useExhaustiveDependencies: `plan` and `prompt` are what it stops for.
  useEffect(() => (autoRead ? stop : undefined), [plan, prompt, autoRead, stop]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: texts are written anew for every setting.
  useEffect(() => {
    if (!autoRead || busy || !model || prompt.trim() === '') return;
    const rest = read.current === prompt ? REST_MILLISECONDS : TYPING_MILLISECONDS;
    const timer = setTimeout(() => {
      read.current = prompt;
      void run(plan, chat);
    }, rest);
    return () => clearTimeout(timer);
  }, [autoRead, busy, model, plan, prompt, chat, drawn, recovered, run]);
}
