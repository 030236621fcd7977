import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { CancelledError, MissingError } from '../errors.ts';
import { packageRoot } from '../library/disk.ts';
import { createConsole } from './console.ts';
import { wholeNumber } from './options.ts';
import { serveFolder } from './static-server.ts';

interface StudioOptions {
  readonly port: number;
  readonly open?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function addStudio(program: Command, signal: AbortSignal): void {
  program
    .command('studio')
    .description('serves the studio on this machine until it is interrupted')
    .option('--port <n>', 'port to serve on; 0 takes any free one', wholeNumber('--port', 0), 8417)
    .option('--open', 'open it in the browser where there is a display')
    .option('--json', 'print one JSON document on standard output')
    .option('--quiet', 'no notes on standard error')
    .action(async (options: StudioOptions) => {
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      const folder = await studioFolder((message) => output.note(message));
      const server = await serveFolder(folder, options.port);
      output.result({ url: server.url }, () => [`The studio is at ${server.url} (Ctrl-C ends it)`]);
      if (options.open) openInBrowser(server.url);
      await aborted(signal);
      await server.close();
      throw new CancelledError();
    });
}

/** The built studio: made from the sources when this is a checkout and they have changed. Throws MissingError when the package came without it. */
async function studioFolder(note: (message: string) => void): Promise<string> {
  const root = packageRoot();
  const script = join(root, 'scripts/build-studio.mjs');
  if (existsSync(join(root, 'src/studio')) && existsSync(script)) {
    const { builtStudio } = (await import(pathToFileURL(script).href)) as {
      builtStudio: (beforeBuild: () => void) => Promise<string>;
    };
    return builtStudio(() => note('Building the studio, a few seconds …'));
  }
  const folder = join(root, 'dist/studio');
  if (!existsSync(join(folder, 'index.html')))
    throw new MissingError(`The studio is not in ${folder}. Install the espalier package again.`);
  return folder;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Opens `url` in the person's browser, where there is a display to show it on; a machine without one is left alone. */
function openInBrowser(url: string): void {
  const [command, ...leading] = opener();
  if (!command) return;
  spawn(command, [...leading, url], { detached: true, stdio: 'ignore' })
    .on('error', () => undefined)
    .unref();
}

function opener(): readonly string[] {
  if (process.platform === 'darwin') return ['open'];
  if (process.platform === 'win32') return ['cmd', '/c', 'start', ''];
  return process.env.DISPLAY || process.env.WAYLAND_DISPLAY ? ['xdg-open'] : [];
}
