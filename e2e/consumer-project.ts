import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { packPackage } from '../scripts/pack.mjs';

/** A project of somebody else with the package that would be released, installed from the tarball by npm. Packages of the repository cannot be found from it. */
export class ConsumerProject {
  readonly folder: string;
  readonly packedBytes: number;

  /** Builds, packs, checks what was packed, and installs it in an empty project, which no script of any package takes part in. */
  constructor() {
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), 'espalier-consumer-')));
    const { path, bytes } = packPackage(join(this.folder, 'packed'));
    this.packedBytes = bytes;
    this.write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
    const { status, stderr } = spawnSync('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', path], {
      cwd: this.folder,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`npm could not install the package: ${stderr}`);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
  }

  /** What everything that was installed takes on the disk, in bytes. */
  installedBytes(): number {
    const modules = this.path('node_modules');
    return readdirSync(modules, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
  }

  /** Puts a package of the repository beside the others, as "npm install" would. */
  add(name: string): void {
    symlinkSync(resolve('node_modules', name), this.path(`node_modules/${name}`));
  }

  /** Runs the installed command. */
  espalier(words: readonly string[]): SpawnSyncReturns<string> {
    return this.node(['node_modules/espalier/bin/espalier.js', ...words]);
  }

  /** Starts the installed studio and gives its address to `use`. */
  async withStudio(use: (url: string) => Promise<void>): Promise<void> {
    const words = ['node_modules/espalier/bin/espalier.js', 'studio', '--port', '0', '--json'];
    const child = spawn(process.execPath, words, { cwd: this.folder, stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
      await use((JSON.parse(line) as { readonly url: string }).url);
    } finally {
      child.kill('SIGINT');
    }
  }

  node(words: readonly string[]): SpawnSyncReturns<string> {
    // Nobody looks at what they write.
    const { FORCE_COLOR: _, ...env } = process.env;
    return spawnSync(process.execPath, words, { cwd: this.folder, encoding: 'utf8', env });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
