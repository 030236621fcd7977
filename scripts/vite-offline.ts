import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import type { Plugin } from 'vite';

/** Files that the studio needs to work without a network: everything that is built, and everything in the public folder. */
function filesUnder(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => name.split(sep).join('/'))
    .sort();
}

/**
 * Builds the service worker: the source with the list of files and a version that changes with any of them. After the first visit the studio opens and
 * works offline; a new version is fetched in the background and takes over at the next opening. `headers` are put on every answer whose server did not send them.
 * `path` is that of the source below Vite's root, which is not always the working directory.
 */
export function offline(path: string, headers: Readonly<Record<string, string>>): Plugin {
  let publicDir = 'public';
  let source = path;
  return {
    name: 'espalier:offline',
    apply: 'build',
    configResolved(config) {
      publicDir = config.publicDir;
      source = resolve(config.root, path);
    },
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        if (this.environment.config.consumer !== 'client' || this.environment.config.isWorker) return;
        const built = Object.keys(bundle).filter((name) => !name.endsWith('.map') && !name.startsWith('e2e/'));
        const served = filesUnder(publicDir);
        const hash = createHash('sha256').update(readFileSync(source));
        for (const [name, output] of Object.entries(bundle))
          hash.update(name).update(output.type === 'asset' ? output.source : output.code);
        for (const name of served) hash.update(name).update(readFileSync(join(publicDir, name)));
        const files = ['./', ...new Set([...built, ...served])].filter((name) => name !== 'index.html');
        const text = readFileSync(source, 'utf8')
          .replace('/* FILES */ []', JSON.stringify(files))
          .replace('/* HEADERS */ {}', JSON.stringify(headers))
          .replace("'VERSION'", JSON.stringify(hash.digest('hex').slice(0, 16)));
        this.emitFile({ type: 'asset', fileName: 'service-worker.js', source: text });
      },
    },
  };
}
