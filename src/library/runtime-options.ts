import type { Backend } from '../runtime/runtime.ts';

/** Where to compute. 'auto' takes a graphics card where there is one, and never an adapter in software, which is slower than the processor's own backend. */
export type BackendChoice = Backend | 'auto';

/** How a runtime is made. */
export interface RuntimeOptions {
  /** Default 'webgpu' in a browser; in Node 'cpu', or 'wasm' with a warning where the package onnxruntime-node is not installed. */
  readonly backend?: BackendChoice;
  /** Threads of 'cpu' and 'wasm'. Default: all cores of the machine; in a browser at most 8, and 1 where the page is not isolated. */
  readonly threads?: number;
  /** In Node: a part of the graphics adapter's name, for 'webgpu' and 'auto'. Default: the most powerful one. */
  readonly adapter?: string;
  /** In a browser: URL of the folder with ONNX Runtime's WebAssembly, for 'webgpu' and 'wasm'. Default: `ort/` under the site's base. */
  readonly wasmPaths?: string;
}
