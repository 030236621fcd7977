/** The public library in browsers: the same verbs as in Node, without Node (docs/library.md). */
import './symbol-dispose.ts';

export { type MemoryFolder, memoryFolder } from './export/memory-folder.ts';
export { zipBlob } from './export/zip.ts';
export { openExported, openModel } from './library/browser/open.ts';
export { createRuntime } from './library/browser/runtime.ts';
export { forgetModel, offerFromHub, storedModels } from './library/browser-models.ts';
export { type DirectoryFolder, directoryFolder } from './library/directory-folder.ts';
export { exportPruned } from './library/export.ts';
export * from './library/library.ts';
export type { DownloadOffer, HubAccess, StoredModel } from './library/model-sources.ts';
export { prune } from './library/prune.ts';
export {
  createWebRuntime,
  type WebGpuCheck,
  type WebGpuSupport,
  type WebRuntimeOptions,
  webgpuSupport,
} from './runtime/web.ts';
