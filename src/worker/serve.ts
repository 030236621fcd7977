import { type Endpoint, expose } from 'comlink';
import { EspalierError } from '../errors.ts';
import type { LongRunning } from '../progress.ts';
import type { Engine, Generating } from './engine.ts';
import type { CallArguments, CallEvent, CallName, CallResult, EngineEndpoint, Outcome, WireError } from './protocol.ts';

type Dispatch = { readonly [Name in CallName]: (args: CallArguments[Name], options: Generating) => Promise<CallResult<Name>> };

/** Serves an engine over an endpoint (the worker's global scope, a message port): results as plain outcomes, progress and tokens as events. */
export function serveEngine(engine: Engine, endpoint?: Endpoint): void {
  const running = new Map<number, AbortController>();
  const dispatch: Dispatch = {
    backend: ([choice]) => engine.backend(choice),
    openModel: ([source], options) => engine.openModel(source, options),
    score: ([request], options) => engine.score(request, options),
    evaluate: ([plan, request], options) => engine.evaluate(plan, request, options),
    speed: ([plan, request], options) => engine.speed(plan, request, options),
    generate: ([plan, request], options) => engine.generate(plan, request, options),
    export: ([plan, request], options) => engine.export(plan, request, options),
  };
  const api: EngineEndpoint = {
    async call<Name extends CallName>(id: number, name: Name, args: CallArguments[Name], onEvent: ((event: CallEvent) => void) | undefined) {
      const controller = new AbortController();
      running.set(id, controller);
      try {
        const value = await dispatch[name](args, { signal: controller.signal, ...hooks(onEvent) });
        return { ok: true, value } satisfies Outcome<CallResult<Name>>;
      } catch (error) {
        return { ok: false, error: wireError(error) } satisfies Outcome<CallResult<Name>>;
      } finally {
        running.delete(id);
      }
    },
    cancel(id) {
      running.get(id)?.abort();
    },
  };
  expose(api, endpoint);
}

function hooks(onEvent: ((event: CallEvent) => void) | undefined): LongRunning & Generating {
  if (onEvent === undefined) return {};
  return {
    onProgress: (progress) => onEvent({ type: 'progress', progress }),
    onToken: (token) => onEvent({ type: 'token', token }),
  };
}

function wireError(error: unknown): WireError {
  if (error instanceof EspalierError) return { code: error.code, message: error.message };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
