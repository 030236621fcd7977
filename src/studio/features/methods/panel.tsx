import { useId } from 'react';
import { comparisonCsv, comparisonMarkdown, summariseRows } from '../../../library/comparison/comparison-table.ts';
import { METHODS } from '../../../plan/methods/methods.ts';
import { useModel } from '../../data/use-engine.ts';
import { formatCount, formatNats, formatPercent, formatPerplexity } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudioFields } from '../../store.ts';
import { LARGEST_RATIO } from '../curve/ratio-slider.tsx';
import { useJobs } from '../frame/jobs.tsx';
import { download } from '../take-away/use-export.ts';
import { numbersOf } from './slice.ts';
import { useSideRows } from './use-side-by-side.ts';

const REPAIRS = [
  { value: '', label: 'none' },
  { value: '+bias', label: 'bias' },
  { value: '+least-squares', label: 'least squares' },
] as const;
const TRAININGS = [
  { value: '', label: 'none' },
  { value: '+lora', label: 'LoRA' },
  { value: '+group-wise', label: 'group-wise' },
] as const;

/** Methods side by side at equal shares, each scored, pruned, repaired and trained anew for every seed: what `compare` of the command line does. */
export function SideBySide() {
  const { data: model } = useModel();
  const { sideMethods, sideRepair, sideTraining, sideRatios, sideSeeds, setSide, tasks } = useStudioFields(
    'sideMethods',
    'sideRepair',
    'sideTraining',
    'sideRatios',
    'sideSeeds',
    'setSide',
    'tasks',
  );
  const run = useJobs().sideBySide;
  const { cells, rows } = useSideRows();
  const toggle = (name: string) =>
    setSide({
      sideMethods: sideMethods.includes(name) ? sideMethods.filter((other) => other !== name) : [...sideMethods, name],
    });
  const isRunning = tasks.comparison !== undefined;
  const left = cells.length - rows.length;
  return (
    <details className="side-by-side">
      <summary>Methods side by side: several seeds, repaired, trained</summary>
      <p className="soft small">
        Each is scored anew with every seed, then pruned, repaired, trained and measured. Texts and amounts are those of
        the Scored sheet, of this drawer and of Recover.
      </p>
      <fieldset className="method-list small">
        <legend className="visually-hidden">Methods to hold against each other</legend>
        {METHODS.map(({ name, source }) => (
          <label key={name} className="check" title={source}>
            <input type="checkbox" checked={sideMethods.includes(name)} onChange={() => toggle(name)} />
            {name}
          </label>
        ))}
      </fieldset>
      <div className="fields">
        <SelectField
          label="Repair"
          value={sideRepair}
          options={REPAIRS}
          onChange={(value) => setSide({ sideRepair: value })}
        />
        <SelectField
          label="Training"
          value={sideTraining}
          options={TRAININGS}
          onChange={(value) => setSide({ sideTraining: value })}
        />
        <ListField
          label="Ratios, %"
          value={sideRatios}
          problem={
            numbersOf(sideRatios, (percent) => percent > 0 && percent <= 100 * LARGEST_RATIO)
              ? undefined
              : `numbers above 0, at most ${100 * LARGEST_RATIO}, separated by commas`
          }
          onChange={(value) => setSide({ sideRatios: value })}
        />
        <ListField
          label="Seeds"
          value={sideSeeds}
          problem={
            numbersOf(sideSeeds, (seed) => Number.isSafeInteger(seed) && seed >= 0)
              ? undefined
              : 'whole numbers, 0 or more, separated by commas'
          }
          onChange={(value) => setSide({ sideSeeds: value })}
        />
        <div className="field field-action">
          <button
            type="button"
            className="primary"
            disabled={!model || isRunning || left === 0}
            onClick={() => run.mutate()}
          >
            {rows.length > 0 && left > 0 ? `Measure ${left} more` : 'Hold side by side'}
          </button>
        </div>
      </div>
      <TaskProgress name="comparison" label="Comparing methods" onCancel={run.cancel} />
      {run.error && run.error.name !== 'CancelledError' && <Notice kind="error">{run.error.message}</Notice>}
      {rows.length > 0 && <SideTable rows={rows} />}
    </details>
  );
}

function SideTable({ rows }: { readonly rows: ReturnType<typeof useSideRows>['rows'] }) {
  const lines = summariseRows(rows).toSorted(
    (a, b) => a.ratio - b.ratio || (a.texts.text?.mean ?? 0) - (b.texts.text?.mean ?? 0),
  );
  const save = (name: string, type: string, text: string) => download(name, new Blob([text], { type }));
  return (
    <>
      <table className="readings side-table">
        <thead>
          <tr>
            <th scope="col">Method</th>
            <th scope="col">Parameters</th>
            <th scope="col">Perplexity</th>
            <th scope="col">KL, nats</th>
            <th scope="col">Same first choice</th>
            <th scope="col">Seeds</th>
          </tr>
        </thead>
        <tbody>
          {lines.map(({ ratio, method, parameters, seeds, texts: { text } }) => (
            <tr key={`${ratio} ${method}`}>
              <th scope="row">
                {method}, {formatPercent(ratio)}
              </th>
              <td>{formatCount(parameters)}</td>
              <td>
                {text && formatPerplexity(text.mean)}{' '}
                <span className="soft">± {text && formatPerplexity(seeds > 1 ? text.spread : text.standardError)}</span>
              </td>
              <td>{text && formatNats(text.klDivergence)}</td>
              <td>{text && formatPercent(text.top1Agreement)}</td>
              <td>{seeds}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="soft small">
        ± is the spread between seeds, or with one seed the standard error over windows.{' '}
        <button
          type="button"
          className="link"
          onClick={() => save('methods.md', 'text/markdown', comparisonMarkdown(rows))}
        >
          Table, Markdown
        </button>{' '}
        <button type="button" className="link" onClick={() => save('methods.csv', 'text/csv', comparisonCsv(rows))}>
          Table, CSV
        </button>
      </p>
    </>
  );
}

function ListField({
  label,
  value,
  problem,
  onChange,
}: {
  readonly label: string;
  readonly value: string;
  /** What it must hold, where it does not. */
  readonly problem: string | undefined;
  readonly onChange: (value: string) => void;
}) {
  const id = useId();
  const problemId = useId();
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        {label}
      </label>
      <input
        id={id}
        type="text"
        value={value}
        inputMode="decimal"
        aria-invalid={problem !== undefined}
        aria-describedby={problem ? problemId : undefined}
        onChange={(event) => onChange(event.target.value)}
      />
      {problem && (
        <span id={problemId} className="field-problem">
          {problem}
        </span>
      )}
    </div>
  );
}
