import type { Env, InferenceSessionFactory, TensorConstructor } from 'onnxruntime-common';

/** What the runtimes use of one build of onnxruntime-web. */
export interface WebBuild {
  readonly env: Env;
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
  /** Whether external data may be Blobs, of which one tensor at a time is read into memory. */
  readonly streamsBlobs: boolean;
}

let loaded: Promise<WebBuild> | undefined;
let loadedPlain: Promise<WebBuild> | undefined;

/**
 * The build for this browser, one for all backends of a page. Where WebAssembly can be suspended (JSPI) it waits for the GPU by that; elsewhere
 * all of its code is instrumented to be unwound (asyncify), which makes tokens of small models a fifth slower on the WASM backend
 * (`npm run bench -- browser-decode`) and the download 10 MB larger.
 *
 * Outside a page the WASM backend has a build of its own, which knows no GPU and is not instrumented: two of the instrumented functions are so large
 * that V8's baseline compiler leaves them to the optimising one, which takes 45 seconds of processor time for them.
 */
export function loadWebBuild(backend: 'webgpu' | 'wasm'): Promise<WebBuild> {
  if (backend === 'wasm' && !insidePage()) {
    loadedPlain ??= import('onnxruntime-web/wasm').then((build) => pick(build, false));
    return loadedPlain;
  }
  loaded ??=
    insidePage() && 'Suspending' in WebAssembly
      ? import('onnxruntime-web/jspi').then((build) => pick(build, true))
      : import('onnxruntime-web/webgpu').then((build) => pick(build, false));
  return loaded;
}

function pick({ env, InferenceSession, Tensor }: Omit<WebBuild, 'streamsBlobs'>, streamsBlobs: boolean): WebBuild {
  return { env, InferenceSession, Tensor, streamsBlobs };
}

/** Pages and workers have a location, Node has none. */
function insidePage(): boolean {
  return globalThis.location !== undefined;
}
