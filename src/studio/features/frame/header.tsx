import { useId, useState } from 'react';
import { useBackend } from '../../data/use-engine.ts';
import { Segmented } from '../../parts/segmented.tsx';
import { useStudio } from '../../store.ts';
import { OutcomeLine } from '../plan/outcome-line.tsx';
import { useTheme } from './use-theme.ts';

export function Header() {
  const themeChoice = useStudio((state) => state.themeChoice);
  const setView = useStudio((state) => state.setView);
  return (
    <header className="top">
      <Mark />
      <h1>Espalier</h1>
      <OutcomeLine />
      <div className="top-aside">
        <BackendChip />
        <Segmented
          label="Theme"
          value={themeChoice}
          options={[
            { value: 'system', label: 'Auto' },
            { value: 'light', label: 'Light' },
            { value: 'dark', label: 'Dark' },
          ]}
          onChange={(value) => setView({ themeChoice: value })}
        />
      </div>
    </header>
  );
}

/** Where the engine computes; opens to the checks that were made, and to the way to the other backend. */
function BackendChip() {
  const { data: backend, error, isPending } = useBackend();
  const [open, setOpen] = useState(false);
  const id = useId();
  const name = backend ? (backend.backend === 'webgpu' ? 'WebGPU' : 'WASM') : error ? 'No engine' : 'Starting';
  return (
    <div className="backend">
      <button
        type="button"
        className="chip"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
        data-backend={backend?.backend ?? (isPending ? 'pending' : 'failed')}
      >
        <span className={`dot ${backend?.backend ?? (error ? 'failed' : 'pending')}`} aria-hidden="true" />
        <strong>{name}</strong>
        <span className="chip-detail">
          {backend ? backend.description.replace(/^Web(GPU on|Assembly, ) ?/, '') : error ? 'see why' : 'the engine'}
        </span>
      </button>
      <div className="popover" id={id} hidden={!open}>
        {backend && (
          <p>
            Computing on{' '}
            <strong>{backend.backend === 'webgpu' ? `WebGPU: ${backend.description}` : backend.description}</strong>.
          </p>
        )}
        {backend?.reason && <p>{backend.reason}</p>}
        {error && <p>{error.message}</p>}
        {backend && backend.checks.length > 0 && (
          <ul className="checks">
            {backend.checks.map((check) => (
              <li key={check.name} className={check.passed ? 'passed' : 'missed'}>
                <span aria-hidden="true">{check.passed ? '✓' : '✕'}</span>
                <span>
                  {check.name}
                  <span className="visually-hidden">{check.passed ? ': yes' : ': no'}</span>
                  {check.detail && <span className="soft"> {check.detail}</span>}
                </span>
              </li>
            ))}
          </ul>
        )}
        {backend && <BackendLink other={backend.backend === 'webgpu' ? 'wasm' : 'webgpu'} />}
      </div>
    </div>
  );
}

function BackendLink({ other }: { readonly other: 'wasm' | 'webgpu' }) {
  const address = new URL(globalThis.location.href);
  address.searchParams.set('backend', other);
  return <a href={address.href}>{other === 'wasm' ? 'Use WASM instead' : 'Try WebGPU'} (reloads the page)</a>;
}

/** The mark: a tree trained flat on three wires, one branch cut. */
function Mark() {
  const theme = useTheme();
  return (
    <svg className="mark" width="28" height="28" viewBox="0 0 28 28" aria-hidden="true" data-theme={theme}>
      <path className="mark-wire" d="M2 7.5h24M2 14.5h24M2 21.5h24" />
      <path
        className="mark-leaf"
        d="M14 27V4M14 24q0-2.500 3-2.500h7M14 17q0-2.500-3-2.500H4M14 17q0-2.500 3-2.500h7M14 10q0-2.500-3-2.500H4M14 10q0-2.500 3-2.500h7"
      />
      <path className="mark-cut" d="M14 24q0-2.500-3-2.500h-2M6.500 19.500l2 4" />
    </svg>
  );
}
