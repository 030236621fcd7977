import { useMemo } from 'react';
import type { PerplexityMeasurement } from '../../../worker/engine.ts';
import {
  type BarredValue,
  RatioChart,
  type RatioPoint,
  type RatioSeries,
  type RecoveredMark,
} from '../../charts/ratio-chart.tsx';
import { useWidth } from '../../charts/use-width.ts';
import {
  formatChange,
  formatNats,
  formatPercent,
  formatPerplexity,
  formatSpeed,
  formatSpeedEstimate,
  formatSpeedRatio,
} from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { Panel } from '../../parts/panel.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { Term } from '../../parts/term.tsx';
import { MEANINGS } from '../../parts/terms.ts';
import { useStudioFields } from '../../store.ts';
import { useDivergenceFigure } from '../figures/use-figures.ts';
import { SideBySide } from '../methods/panel.tsx';
import { usePlan, useRatio } from '../plan/use-plan.ts';
import { CompareFields } from './compare-fields.tsx';
import { estimateCurve } from './estimate.ts';
import { divergencePoints, valueOn } from './known-curve.ts';
import { type Measurements, useCurrentMeasurements } from './measurements.ts';
import { MethodChoice } from './method-choice.tsx';
import { ratioKey } from './sweep.ts';
import { useKnownCurve } from './use-known-curve.ts';

const MAXIMUM_RATIO = 0.8;
const CHART_HEIGHT = 210;

/** Dense against pruned: measured numbers at the chosen ratio, and the curves that fill in behind. */
export function ComparePanel() {
  const outcome = usePlan();
  const { autoMeasure, sweepFailure, setMeasure, setRatio } = useStudioFields(
    'autoMeasure',
    'sweepFailure',
    'setMeasure',
    'setRatio',
  );
  const measured = useCurrentMeasurements();
  const asked = useRatio();
  const ratio = outcome?.ok ? outcome.plan.ratio : asked;
  return (
    <Panel
      id="compare"
      title="Compare"
      hint="Measured on this machine, on text that calibration has not seen."
      aside={
        <label className="check">
          <input
            type="checkbox"
            checked={autoMeasure}
            onChange={(event) => setMeasure({ autoMeasure: event.target.checked })}
          />
          measure when I pause
        </label>
      }
    >
      <div className="compare-top">
        <Readings measured={measured} ratio={ratio} />
        <div className="compare-settings">
          <CompareFields />
          <MethodChoice />
          <div className="task-slot">
            {sweepFailure && <Notice kind="error">{sweepFailure}</Notice>}
            <TaskProgress name="perplexity" label="Measuring perplexity" />
            <TaskProgress name="speed" label="Measuring speed" />
          </div>
        </div>
      </div>
      <Curves measured={measured} ratio={ratio} onPick={setRatio} />
      <SideBySide />
    </Panel>
  );
}

/** Dense and pruned side by side, with the estimate where nothing is measured yet. */
function Readings({ measured, ratio }: { readonly measured: Measurements; readonly ratio: number }) {
  const key = ratioKey(ratio);
  const [densePerplexity, prunedPerplexity] = [measured.perplexity.get(0), measured.perplexity.get(key)];
  const speed = measured.speed.get(key);
  // What is not measured here may be shipped, or lie between what is known: marked as on the bench.
  const [perplexity, divergence] = [useKnownCurve(), useDivergenceFigure()];
  const about = (at: number) => valueOn(perplexity, at)?.value;
  const dense = speed?.dense ?? denseSpeedOf(measured, ratio);
  const speedRow = (what: 'decode' | 'prefill', name: string) => (
    <tr>
      <th scope="row">{name}</th>
      <td>{dense ? formatSpeedEstimate(dense[what]) : <Pending />}</td>
      <td>{speed ? formatSpeedEstimate(speed.pruned[what]) : <Pending />}</td>
      <td className="change">{speed ? formatSpeedRatio(speed[what]) : ''}</td>
    </tr>
  );
  return (
    <table className="readings">
      <thead>
        <tr>
          <td />
          <th scope="col">Dense</th>
          <th scope="col">{formatPercent(ratio)} removed</th>
          <th scope="col">Change</th>
        </tr>
      </thead>
      <tbody>
        <tr data-reading="perplexity">
          <th scope="row">Perplexity</th>
          <td>
            {densePerplexity ? (
              withError(densePerplexity.perplexity, densePerplexity.standardError)
            ) : (
              <About value={about(0)} />
            )}
          </td>
          <td>
            {prunedPerplexity ? (
              withError(prunedPerplexity.perplexity, prunedPerplexity.standardError)
            ) : (
              <About value={about(key)} />
            )}
          </td>
          <td className="change">
            {densePerplexity && prunedPerplexity
              ? formatChange(prunedPerplexity.perplexity, densePerplexity.perplexity)
              : ''}
          </td>
        </tr>
        <tr>
          <th scope="row">
            <Term meaning={MEANINGS.divergence}>KL from dense, nats</Term>
          </th>
          <td>0</td>
          <td>
            {prunedPerplexity?.klDivergence !== undefined ? (
              divergenceOf(prunedPerplexity)
            ) : divergence ? (
              <span className="estimate">{divergence.text.replace(/^KL /, '')}</span>
            ) : (
              <Pending />
            )}
          </td>
          <td className="change">
            {prunedPerplexity?.top1Agreement !== undefined &&
              `same first choice at ${formatPercent(prunedPerplexity.top1Agreement)}`}
          </td>
        </tr>
        {speedRow('decode', 'Decode, tokens/s')}
        {speedRow('prefill', 'Prefill, tokens/s')}
      </tbody>
    </table>
  );
}

function Curves({
  measured,
  ratio,
  onPick,
}: {
  readonly measured: Measurements;
  readonly ratio: number;
  readonly onPick: (ratio: number) => void;
}) {
  const { ref, width } = useWidth<HTMLDivElement>();
  const charts = useMemo(() => {
    const perplexity = perplexityValues(measured);
    const speeds = [...measured.speed];
    const speedPoints = (what: 'decode' | 'prefill') =>
      speeds.map(([at, { dense, pruned }]) => ({ ratio: at, ...pruned[what], dense: dense[what] }));
    return [
      {
        title: 'Perplexity',
        unit: 'lower is better',
        all: perplexity,
        others: methodSeries(measured),
        logarithmic: true,
        format: formatPerplexity,
        estimated: true,
      },
      {
        title: 'KL from dense',
        unit: 'nats a token',
        all: divergencePoints(measured.perplexity).map(({ ratio, value, error }) => ({
          ...{ ratio, value, low: Math.max(value / 2, value - error), high: value + error },
          note: agreementAt(measured, ratio),
        })),
        others: [...measured.methods].map(([name, values]) => ({ name, points: divergencePoints(values) })),
        logarithmic: true,
        format: formatNats,
        estimated: false,
      },
      {
        title: 'Decode',
        unit: 'tokens per second, ○ dense in turn',
        all: speedPoints('decode'),
        others: [],
        logarithmic: false,
        format: formatSpeed,
        estimated: false,
      },
      {
        title: 'Prefill',
        unit: 'tokens per second, ○ dense in turn',
        all: speedPoints('prefill'),
        others: [],
        logarithmic: false,
        format: formatSpeed,
        estimated: false,
      },
    ];
  }, [measured]);
  const columns = width >= 1160 ? 4 : width >= 560 ? 2 : 1;
  const chartWidth = Math.max(220, Math.floor((width - (columns - 1) * 24) / columns));
  return (
    <div className="curves" ref={ref} data-columns={columns}>
      {charts.map(({ title, unit, all, others, logarithmic, format, estimated }) => (
        <RatioChart
          key={title}
          title={title}
          unit={unit}
          points={all.filter((point) => point.ratio > 0)}
          dense={all.find((point) => point.ratio === 0)}
          others={others}
          recovered={estimated ? recoveredPoints(measured) : []}
          estimate={estimated ? estimateCurve(all) : []}
          ratio={ratio}
          maximumRatio={MAXIMUM_RATIO}
          logarithmic={logarithmic}
          format={format}
          width={chartWidth}
          height={CHART_HEIGHT}
          onPick={onPick}
        />
      ))}
    </div>
  );
}

/** How often the pruned model's most probable token is the dense one's. */
function agreementAt({ perplexity }: Measurements, ratio: number): string | undefined {
  const agreement = perplexity.get(ratio)?.top1Agreement;
  return agreement === undefined ? undefined : `same first choice at ${formatPercent(agreement)}`;
}

/** The dense model's speed as it was measured in turn with the pruned one at this ratio, or at the nearest one. */
function denseSpeedOf(measured: Measurements, ratio: number) {
  const nearest = [...measured.speed].sort(([a], [b]) => Math.abs(a - ratio) - Math.abs(b - ratio))[0];
  return nearest?.[1].dense;
}

function recoveredPoints({ recovered }: Measurements): RecoveredMark[] {
  return recovered.map(({ name, ratio, perplexity }) => ({
    name,
    ratio,
    ...barred(perplexity),
  }));
}

function methodSeries(measured: Measurements): RatioSeries[] {
  return [...measured.methods].map(([name, values]) => ({
    name,
    points: [...values].map(([ratio, { perplexity }]) => ({ ratio, value: perplexity })),
  }));
}

function perplexityValues(measured: Measurements): RatioPoint[] {
  return [...measured.perplexity].map(([ratio, perplexity]) => ({ ratio, ...barred(perplexity) }));
}

function barred({ perplexity, standardError }: PerplexityMeasurement): BarredValue {
  return { value: perplexity, low: perplexity - standardError, high: perplexity + standardError };
}

function divergenceOf({ klDivergence = 0, klStandardError = 0 }: PerplexityMeasurement): string {
  return `${formatNats(klDivergence)} ± ${formatNats(klStandardError)}`;
}

function withError(value: number, error: number): string {
  return `${formatPerplexity(value)} ± ${formatPerplexity(error)}`;
}

/** A perplexity that was not measured here, as far as it is known. */
function About({ value }: { readonly value: number | undefined }) {
  if (value === undefined) return <Pending />;
  return <span className="estimate">≈ {formatPerplexity(value)}</span>;
}

function Pending() {
  return <span className="pending">not measured</span>;
}
