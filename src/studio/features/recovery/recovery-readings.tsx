import type { KeptTraining } from '../../../worker/engine.ts';
import { formatChange, formatCount, formatPerplexity, formatSeconds, formatSpeed } from '../../parts/format.ts';
import { type bestPoint, type lossPoints, type RecoveryMethod, type RecoveryRun, recoveryMethodName } from './slice.ts';

type Points = ReturnType<typeof lossPoints>;

/** Held-out perplexity before, now and at its best; speed and time left while a training goes, what was kept when it is over. */
export function RecoveryReadings({
  run,
  kept,
  method,
  points,
  best,
}: {
  readonly run: RecoveryRun | undefined;
  readonly kept: KeptTraining | undefined;
  readonly method: RecoveryMethod;
  readonly points: Points;
  readonly best: ReturnType<typeof bestPoint>;
}) {
  const measured = points.filter(({ heldOutLoss }) => heldOutLoss !== undefined);
  const [untrained, now] = [measured[0]?.heldOutLoss, measured.at(-1)];
  const result = run?.state.status === 'done' ? run.state.result : undefined;
  const isRounded = method !== 'lora';
  // What rounding costs is told apart from what training gives.
  const given = result?.heldOutBefore ?? run?.progress.at(-1)?.heldOutBefore ?? (run ? undefined : kept?.heldOutBefore);
  const lowest = result?.heldOutAfter ?? best?.heldOutLoss;
  const against = given ?? untrained;
  return (
    <div className="recovery-readings">
      <table className="readings">
        <thead>
          <tr>
            <th scope="col">Held-out perplexity</th>
            <th scope="col">Value</th>
            <th scope="col">Change</th>
          </tr>
        </thead>
        <tbody>
          <Line name={run ? `Before: ${run.of}` : 'Before'} loss={given} against={undefined} />
          {isRounded && (
            <Line name={`Rounded to ${recoveryMethodName(method)}, untrained`} loss={untrained} against={given} />
          )}
          {!result && (
            <Line name={now ? `During: step ${now.step}` : 'During'} loss={now?.heldOutLoss} against={against} />
          )}
          <Line
            name={result ? `Recovered, kept step ${result.bestStep}` : 'Best so far'}
            loss={lowest}
            against={against}
          />
        </tbody>
      </table>
      <p className="soft small">{result ? endSentence(result) : paceSentence(run)}</p>
      {result?.notes.map((note) => (
        <p key={note} className="soft small">
          {note}
        </p>
      ))}
    </div>
  );
}

/** One perplexity from a loss in nats. */
function Line({
  name,
  loss,
  against,
}: {
  readonly name: string;
  readonly loss: number | undefined;
  readonly against: number | undefined;
}) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{loss === undefined ? <span className="pending">–</span> : formatPerplexity(Math.exp(loss))}</td>
      <td className="change">
        {loss === undefined || against === undefined ? '' : formatChange(Math.exp(loss), Math.exp(against))}
      </td>
    </tr>
  );
}

function paceSentence(run: RecoveryRun | undefined): string {
  if (!run) return 'A part of the text is held out: it is measured, and not trained on.';
  const last = run.progress.at(-1);
  if (!last || last.secondsLeft === undefined) return 'Measuring the model before the first step.';
  return `${formatSpeed(last.tokensPerSecond)} tokens/s · ${formatSeconds(last.secondsLeft)} left · learning rate ${last.learningRate.toExponential(1)}`;
}

const REASONS = {
  finished: 'All steps were made',
  'no longer better': 'Stopped as it got no better',
  cancelled: 'Stopped by you',
} as const;

function endSentence({
  stoppedBecause,
  steps,
  trainedTokens,
  tokensPerSecond,
  adapterParameters,
}: {
  readonly stoppedBecause: keyof typeof REASONS;
  readonly steps: number;
  readonly trainedTokens: number;
  readonly tokensPerSecond: number;
  readonly adapterParameters: number;
}): string {
  const pace = `${steps} steps, ${formatCount(trainedTokens)} tokens at ${formatSpeed(tokensPerSecond)} tokens/s`;
  return `${REASONS[stoppedBecause]}: ${pace}. ${formatCount(adapterParameters)} parameters were trained.`;
}
