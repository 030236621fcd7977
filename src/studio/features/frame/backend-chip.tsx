import { useState } from 'react';
import { useBackend } from '../../data/use-engine.ts';
import { Sheet } from '../../parts/sheet.tsx';

/** Where the engine computes; opens to the checks that were made, and to the way to the other backend. */
export function BackendChip() {
  const { data: backend, error, isPending } = useBackend();
  const [open, setOpen] = useState(false);
  const name = backend ? (backend.backend === 'webgpu' ? 'WebGPU' : 'WASM') : error ? 'No engine' : 'Starting';
  return (
    <Sheet
      label="Engine"
      open={open}
      onOpen={setOpen}
      align="right"
      chipData={{ 'data-backend': backend?.backend ?? (isPending ? 'pending' : 'failed') }}
      chip={
        <>
          <span className={`dot ${backend?.backend ?? (error ? 'failed' : 'pending')}`} aria-hidden="true" />
          <strong>{name}</strong>
          <span className="chip-detail">
            {backend ? backend.description.replace(/^Web(GPU on|Assembly, ) ?/, '') : error ? 'see why' : 'the engine'}
          </span>
        </>
      }
    >
      {backend && (
        <p>
          Computing on{' '}
          <strong>{backend.backend === 'webgpu' ? `WebGPU: ${backend.description}` : backend.description}</strong>.
        </p>
      )}
      {backend?.reason && <p>{backend.reason}</p>}
      {backend?.lacks.map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
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
    </Sheet>
  );
}

function BackendLink({ other }: { readonly other: 'wasm' | 'webgpu' }) {
  const address = new URL(globalThis.location.href);
  address.searchParams.set('backend', other);
  return <a href={address.href}>{other === 'wasm' ? 'Use WASM instead' : 'Try WebGPU'} (reloads the page)</a>;
}
