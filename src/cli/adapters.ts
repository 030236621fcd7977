import { listAdapters } from '../runtime/node-webgpu.ts';
import { createConsole } from './console.ts';

/** Whether the command line asks which adapters there are: `--adapter list`, or `--adapter` without a name, with any command. */
export function asksForAdapters(argv: readonly string[]): boolean {
  const place = argv.indexOf('--adapter');
  const value = argv[place + 1];
  return place >= 0 && (value === undefined || value === 'list' || value.startsWith('-'));
}

/** Tells the graphics adapters of this machine. Throws MissingError where WebGPU's package is not installed. */
export async function tellAdapters(argv: readonly string[]): Promise<void> {
  const adapters = await listAdapters();
  createConsole({ json: argv.includes('--json'), quiet: false }).result({ adapters }, () =>
    adapters.length === 0
      ? ['No graphics adapter was found; its driver may be missing.']
      : adapters.map(({ name, api, software }) => `${name} (${api}${software ? ', in software' : ''})`),
  );
}
