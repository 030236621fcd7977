import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { offline } from './vite-offline.ts';

it('finds the service worker and the public files from any working directory', () => {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const before = process.cwd();
  process.chdir(tmpdir());
  try {
    const plugin = offline('src/studio/service-worker.js', {});
    plugin.configResolved({ root, publicDir: `${root}public` });
    const emitted = [];
    plugin.generateBundle.handler.call(
      {
        environment: { config: { consumer: 'client', isWorker: false } },
        emitFile: ({ source }) => emitted.push(source),
      },
      {},
      {},
    );
    expect(emitted).toHaveLength(1);
    expect(emitted[0]).toContain('"models/stories/config.json"');
    expect(emitted[0]).not.toMatch(/"\.\.|"\/|public\//);
  } finally {
    process.chdir(before);
  }
});
