import { type Endpoint, proxy, type Remote, wrap } from 'comlink';
import { CancelledError, EspalierError, throwIfCancelled } from '../errors.ts';
import type { CallOptions, Engine } from './engine.ts';
import {
  type CallArguments,
  type CallEvent,
  type CallName,
  type CallResult,
  type EngineEndpoint,
  hear,
  type WireError,
} from './protocol.ts';

/**
 * The page's end of the worker boundary: the same `Engine`, over messages. A fired signal rejects at once with CancelledError
 * and tells the worker to stop; what the worker still sends for that call is dropped.
 */
export function connectEngine(endpoint: Endpoint): Engine {
  const remote = wrap<EngineEndpoint>(endpoint);
  let next = 0;
  function call<Name extends CallName>(
    name: Name,
    args: CallArguments[Name],
    options: CallOptions = {},
  ): Promise<CallResult<Name>> {
    next += 1;
    return callOnce(remote, next, name, args, options);
  }
  return {
    backend: (choice) => call('backend', [choice]),
    openModel: (source, options) => call('openModel', [source], options),
    offer: (name, options) => call('offer', [name], options),
    stored: () => call('stored', []),
    forget: (stored) => call('forget', [stored]),
    score: (request, options) => call('score', [request], options),
    windows: (request, options) => call('windows', [request], options),
    refine: (request, options) => call('refine', [request], options),
    fit: (scores, options) => call('fit', [scores, options]),
    evaluate: (plan, request, options) => call('evaluate', [plan, request], options),
    task: (plan, request, options) => call('task', [plan, request], options),
    keptTraining: (plan, request) => call('keptTraining', [plan, request]),
    forgetTraining: () => call('forgetTraining', []),
    recover: (plan, request, options) => call('recover', [plan, request], options),
    speed: (plan, request, options) => call('speed', [plan, request], options),
    generate: (plan, request, options) => call('generate', [plan, request], options),
    export: (plan, request, options) => call('export', [plan, request], options),
  };
}

/** Calls that have something to give when they are cancelled: they are told, and waited for. */
const ENDS_ITSELF: ReadonlySet<CallName> = new Set(['recover']);

function callOnce<Name extends CallName>(
  remote: Remote<EngineEndpoint>,
  id: number,
  name: Name,
  args: CallArguments[Name],
  options: CallOptions,
): Promise<CallResult<Name>> {
  const { signal, onProgress, onToken, onItems, onStep } = options;
  return new Promise((resolve, reject) => {
    throwIfCancelled(signal);
    let settled = false;
    const onAbort = () => {
      void remote.cancel(id);
      if (!ENDS_ITSELF.has(name)) reject(new CancelledError());
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const listener = (event: CallEvent) => {
      if (!settled && (!signal?.aborted || ENDS_ITSELF.has(name))) hear(event, options);
    };
    const onEvent = onProgress || onToken || onItems || onStep ? proxy(listener) : undefined;
    // Comlink's type for a generic method erases the name; the outcome is that of `name` by the endpoint's own signature.
    const outcome = remote.call(id, name, args, onEvent) as ReturnType<EngineEndpoint['call']>;
    outcome
      .then((result) => (result.ok ? resolve(result.value as CallResult<Name>) : reject(revive(result.error))), reject)
      .finally(() => {
        settled = true;
        signal?.removeEventListener('abort', onAbort);
      });
  });
}

function revive({ code, message }: WireError): EspalierError {
  return code === 'cancelled' ? new CancelledError(message) : new EspalierError(code, message);
}
