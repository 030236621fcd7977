import { useScores } from '../../data/use-engine.ts';
import {
  formatBytes,
  formatCount,
  formatNats,
  formatPercent,
  formatPerplexity,
  formatSpeedRatio,
} from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { Panel } from '../../parts/panel.tsx';
import { useStudioFields } from '../../store.ts';
import { type Run, runLabel } from './run.ts';
import { RunComparison } from './run-comparison.tsx';

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'short' });

/** Every recipe that was measured for this model, to go back to, and two of them side by side. */
export function RunsPanel() {
  const { data: scores } = useScores();
  const { runs, pickedRuns, removedRun, presentRun, recoveredFailure, bringBackRun } = useStudioFields(
    ...(['runs', 'pickedRuns', 'removedRun', 'presentRun', 'recoveredFailure', 'bringBackRun'] as const),
  );
  const own = runs.filter((run) => run.model.sha256 === scores?.model.sha256);
  const [first, second] = pickedRuns.flatMap((id) => own.find((run) => run.id === id) ?? []);
  return (
    <Panel
      id="history"
      title="History"
      hint="Recipes that you rested on and that were measured, and recovered models. Pick two to lay them over each other."
      aside={
        removedRun && (
          <button type="button" className="quiet" onClick={bringBackRun}>
            Undo removing
          </button>
        )
      }
    >
      {recoveredFailure && <Notice kind="error">{recoveredFailure}</Notice>}
      {own.length === 0 ? (
        <p className="soft small">Nothing measured yet. A recipe appears here once its perplexity is there.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
        <section className="table-scroll runs-scroll" aria-label="Measured recipes" tabIndex={0}>
          <table className="runs">
            <thead>
              <tr>
                <th scope="col">
                  <span className="visually-hidden">Side by side</span>
                </th>
                <th scope="col">Recipe</th>
                <th scope="col">Removed</th>
                <th scope="col">Parameters</th>
                <th scope="col">Size</th>
                <th scope="col">Perplexity</th>
                <th scope="col">KL, nats</th>
                <th scope="col">Decode over dense</th>
                <th scope="col">When</th>
                <th scope="col">
                  <span className="visually-hidden">What to do</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {own.map((run) => (
                <RunRow
                  key={run.id}
                  run={run}
                  isPresent={run.id === presentRun}
                  letter={letterOf(pickedRuns, run.id)}
                />
              ))}
            </tbody>
          </table>
        </section>
      )}
      {first && second ? (
        <RunComparison first={first} second={second} />
      ) : (
        own.length > 1 && (
          <p className="soft small runs-hint">{first ? 'Pick one more to compare.' : 'Pick two to compare.'}</p>
        )
      )}
    </Panel>
  );
}

/** A and B for the two that are picked. */
function letterOf(picked: readonly string[], id: string): string | undefined {
  return ['A', 'B'][picked.indexOf(id)];
}

function RunRow({
  run,
  isPresent,
  letter,
}: {
  readonly run: Run;
  readonly isPresent: boolean;
  readonly letter: string | undefined;
}) {
  const { pickRun, removeRun, changeRecipe, adoptPlan } = useStudioFields(
    ...(['pickRun', 'removeRun', 'changeRecipe', 'adoptPlan'] as const),
  );
  const { recipe, ratio, parametersAfter, bytes, perplexity, speed, at, measuredOn } = run;
  const label = runLabel(run);
  const name = `${formatPercent(ratio)}, ${label}`;
  return (
    <tr className={isPresent ? 'present' : undefined}>
      <td>
        <label className="check">
          <input
            type="checkbox"
            checked={letter !== undefined}
            onChange={() => pickRun(run.id)}
            aria-label={`Compare ${name}`}
          />
          <span className="run-letter" aria-hidden="true">
            {letter}
          </span>
        </label>
      </td>
      <th scope="row" title={`Measured on ${measuredOn}`}>
        {label} {isPresent && <span className="tag">now</span>}
      </th>
      <td>{formatPercent(ratio)}</td>
      <td>{formatCount(parametersAfter)}</td>
      <td>
        {formatBytes(bytes)} <span className="soft">{recipe.dtype ?? 'f32'}</span>
      </td>
      <td>
        {formatPerplexity(perplexity.perplexity)}{' '}
        <span className="soft">± {formatPerplexity(perplexity.standardError)}</span>
      </td>
      <td>
        {perplexity.klDivergence === undefined ? (
          <span className="pending">–</span>
        ) : (
          formatNats(perplexity.klDivergence)
        )}
      </td>
      <td>{speed ? formatSpeedRatio(speed.decode) : <span className="pending">–</span>}</td>
      <td className="soft">{clock.format(at)}</td>
      <td className="run-actions">
        <button
          type="button"
          className="quiet"
          disabled={isPresent}
          aria-label={`Go back to ${name}`}
          onClick={() => {
            changeRecipe(run.recipe);
            if (run.given) adoptPlan(run.given.plan, run.model.sha256, run.given.from);
          }}
        >
          Go back
        </button>
        <button type="button" className="quiet" aria-label={`Remove ${name}`} onClick={() => removeRun(run.id)}>
          Remove
        </button>
      </td>
    </tr>
  );
}
