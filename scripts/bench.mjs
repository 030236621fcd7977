import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { buildLibrary } from './build-library.mjs';

/** Builds the benchmarks of bench/ and runs those that are named (default: all), one after the other: `npm run bench -- scoring`. */
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'node_modules/.cache/bench');
const names = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => basename(file, '.bench.ts'));
const words = process.argv.slice(2);
// Names come first; an option may be called as a benchmark is.
const end = words.findIndex((word) => !names.includes(word));
const [wanted, options] = end < 0 ? [words, []] : [words.slice(0, end), words.slice(end)];
const peers = readdirSync(join(root, 'bench/peers')).filter((file) => file.endsWith('.peer.ts'));
await buildLibrary(folder, {
  entries: Object.fromEntries([
    ...names.map((name) => [name, `bench/${name}.bench.ts`]),
    ...peers.map((file) => [`peers/${basename(file, '.ts')}`, `bench/peers/${file}`]),
  ]),
});
for (const name of wanted.length > 0 ? wanted : names) {
  console.log(`\n# ${name}`);
  const { run } = await import(pathToFileURL(join(folder, `${name}.js`)).href);
  try {
    await run(options);
  } catch (error) {
    // What the machine lacks, or an option is wrong: a sentence tells it.
    if (!(error instanceof Error && ['DeviceError', 'MissingError', 'UsageError'].includes(error.name))) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
