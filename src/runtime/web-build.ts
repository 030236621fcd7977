import type { Env, InferenceSessionFactory, TensorConstructor } from 'onnxruntime-web/webgpu';

/** What the runtimes use of one build of onnxruntime-web. */
export interface WebBuild {
  readonly env: Env;
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
  /** Whether external data may be Blobs, of which one tensor at a time is read into memory. */
  readonly streamsBlobs: boolean;
}

let loaded: Promise<WebBuild> | undefined;

/**
 * The build for this browser, one for all backends of a page. Where WebAssembly can be suspended (JSPI) it waits for the GPU by that; elsewhere
 * all of its code is instrumented to be unwound (asyncify), which makes tokens of small models a fifth slower on the WASM backend
 * (`npm run bench -- browser-decode`) and the download 10 MB larger.
 */
export function loadWebBuild(): Promise<WebBuild> {
  loaded ??= suspends()
    ? import('onnxruntime-web/jspi').then(({ env, InferenceSession, Tensor }) => ({
        env,
        InferenceSession,
        Tensor,
        streamsBlobs: true,
      }))
    : import('onnxruntime-web/webgpu').then(({ env, InferenceSession, Tensor }) => ({
        env,
        InferenceSession,
        Tensor,
        streamsBlobs: false,
      }));
  return loaded;
}

/** Only pages and workers: Node runs the build that its package entry knows. */
function suspends(): boolean {
  return globalThis.location !== undefined && 'Suspending' in WebAssembly;
}
