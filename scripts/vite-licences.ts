import type { Plugin } from 'vite';
import { licenceText } from './licences.mjs';

/** Writes the licences of all that is built into the page and its workers beside them, as licences.txt. */
export function licences(): { readonly page: Plugin; readonly worker: () => Plugin[] } {
  const modules = new Set<string>();
  const collect: Plugin = {
    name: 'espalier:licences',
    apply: 'build',
    generateBundle(_options, bundle) {
      for (const output of Object.values(bundle))
        if (output.type === 'chunk') for (const id of output.moduleIds) modules.add(id);
      if (this.environment.config.consumer !== 'client' || this.environment.config.isWorker) return;
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: licenceText(modules) });
    },
  };
  return { page: collect, worker: () => [collect] };
}
