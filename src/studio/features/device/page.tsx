import { useEffect, useRef, useState } from 'react';
import { useModel, useScores } from '../../data/use-engine.ts';
import { formatPercent, formatSpeed, formatSpeedEstimate, formatSpeedRatio } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudio } from '../../store.ts';
import { useJobs } from '../frame/jobs.tsx';
import { download } from '../take-away/use-export.ts';
import { type DeviceReport, deviceLines, deviceMarkdown } from './report.ts';

/** What this device is and does, for people who compare devices. */
export function DevicePage() {
  const isOpen = useStudio((state) => state.deviceOpen);
  return isOpen ? <Device /> : null;
}

function Device() {
  const dialog = useRef<HTMLDialogElement>(null);
  const setBench = useStudio((state) => state.setBench);
  const running = useStudio(({ tasks }) => tasks.device !== undefined);
  const { data: model } = useModel();
  const { data: scores } = useScores();
  const run = useJobs().device;
  useEffect(() => {
    const element = dialog.current;
    if (element && !element.open) element.showModal();
  }, []);
  return (
    <dialog ref={dialog} className="device" aria-label="This device" onClose={() => setBench({ deviceOpen: false })}>
      <header className="panel-head">
        <h2>This device</h2>
        <p className="panel-hint">
          Matrix products, then tokens of the open model, dense and pruned in turn: a minute.
        </p>
        <div className="panel-aside">
          <button type="button" className="primary" disabled={!model || running} onClick={() => run.mutate(scores)}>
            {run.data ? 'Measure again' : 'Measure'}
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </div>
      </header>
      <TaskProgress name="device" label="Measuring this device" onCancel={run.cancel} />
      {run.error && run.error.name !== 'CancelledError' && <Notice kind="error">{run.error.message}</Notice>}
      {run.data && <Report report={run.data} />}
    </dialog>
  );
}

function Report({ report }: { readonly report: DeviceReport }) {
  const { facts, speeds, model } = report;
  return (
    <>
      <dl className="facts">
        {deviceLines(report).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <table className="readings">
        <thead>
          <tr>
            <th scope="col">Matrix product</th>
            <th scope="col">Rows</th>
            <th scope="col">GFLOP/s</th>
          </tr>
        </thead>
        <tbody>
          {facts.products.map(({ format, rows, size, gigaflops }) => (
            <tr key={`${format} ${rows}`}>
              <th scope="row">
                {format}, {size} × {size}
              </th>
              <td>{rows}</td>
              <td>{formatSpeed(gigaflops)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {speeds.length > 0 && (
        <table className="readings">
          <thead>
            <tr>
              <th scope="col">{model}, decode</th>
              <th scope="col">Dense, tokens/s</th>
              <th scope="col">Pruned, tokens/s</th>
              <th scope="col">Over dense</th>
            </tr>
          </thead>
          <tbody>
            {speeds.map(({ ratio, speed }) => (
              <tr key={ratio}>
                <th scope="row">{formatPercent(ratio)} removed</th>
                <td>{formatSpeedEstimate(speed.dense.decode)}</td>
                <td>{formatSpeedEstimate(speed.pruned.decode)}</td>
                <td>{formatSpeedRatio(speed.decode)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <TakeReport report={report} />
    </>
  );
}

function TakeReport({ report }: { readonly report: DeviceReport }) {
  const [copied, setCopied] = useState(false);
  const markdown = deviceMarkdown(report);
  const copy = () =>
    globalThis.navigator.clipboard.writeText(markdown).then(
      () => setCopied(true),
      () => download('device.md', new Blob([markdown], { type: 'text/markdown' })),
    );
  return (
    <p className="device-take">
      <button type="button" onClick={() => void copy()}>
        {copied ? 'Copied' : 'Copy as Markdown'}
      </button>{' '}
      <button
        type="button"
        onClick={() =>
          download('device.json', new Blob([JSON.stringify(report, null, 2)], { type: 'application/json' }))
        }
      >
        JSON
      </button>
    </p>
  );
}
