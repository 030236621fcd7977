/** The public library in Node: the same verbs as the command line (docs/library.md). `espalier/web` is that of browsers. */
export { diskFolder } from './checkpoint/files/disk.ts';
export { diskOutput } from './export/disk.ts';
export { createRuntime } from './library/create-runtime.ts';
export * from './library/library.ts';
export { openExported, openModel } from './library/open.ts';
export { exportPruned, type PruneToDiskOptions, prune } from './library/prune-to-disk.ts';
