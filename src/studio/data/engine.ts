import { DeviceError } from '../../errors.ts';
import type { BackendChoice, Engine } from '../../worker/engine.ts';

let engine: Promise<Engine> | undefined;

/** The one engine of the page, in its worker. Loaded on first use, so that the first paint does not wait for it. */
export function studioEngine(): Promise<Engine> {
  engine ??= start();
  return engine;
}

async function start(): Promise<Engine> {
  const { connect } = await import('../../worker/rpc.ts');
  const worker = new Worker(new URL('../../worker/engine-worker.ts', import.meta.url), {
    type: 'module',
    name: 'espalier-engine',
  });
  const failed = new Promise<never>((_, reject) => {
    worker.addEventListener('error', (event) => {
      reject(
        new DeviceError(
          `The engine could not be loaded${event.message ? `: ${event.message}` : ''}. Reload the page; if it stays so, the server may not serve all files.`,
        ),
      );
    });
  });
  return connect<Engine>(worker, failed);
}

/** `?backend=wasm` or `?backend=webgpu` in the address asks for one; otherwise WebGPU where it works. */
export function backendChoice(search: string): BackendChoice {
  const asked = new URLSearchParams(search).get('backend');
  return asked === 'wasm' || asked === 'webgpu' ? asked : 'auto';
}
