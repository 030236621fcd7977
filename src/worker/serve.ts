import { type Endpoint, expose } from 'comlink';
import { EspalierError } from '../errors.ts';
import type { CallOptions, Engine } from './engine.ts';
import type {
  CallArguments,
  CallEvent,
  CallName,
  CallResult,
  EngineEndpoint,
  EventListener,
  Outcome,
  WireError,
} from './protocol.ts';

type Dispatch = {
  readonly [Name in CallName]: (args: CallArguments[Name], options: CallOptions) => Promise<CallResult<Name>>;
};

/** Serves an engine over an endpoint (the worker's global scope, a message port): results as plain outcomes, progress and tokens as events. */
export function serveEngine(engine: Engine, endpoint?: Endpoint): void {
  const running = new Map<number, AbortController>();
  const dispatch: Dispatch = {
    backend: ([choice]) => engine.backend(choice),
    openModel: ([source], options) => engine.openModel(source, options),
    offer: ([name], options) => engine.offer(name, options),
    stored: () => engine.stored(),
    forget: ([stored]) => engine.forget(stored),
    score: ([request], options) => engine.score(request, options),
    windows: ([request], options) => engine.windows(request, options),
    refine: ([request], options) => engine.refine(request, options),
    fit: ([scores, options]) => engine.fit(scores, options),
    evaluate: ([plan, request], options) => engine.evaluate(plan, request, options),
    task: ([plan, request], options) => engine.task(plan, request, options),
    keptTraining: ([plan, request]) => engine.keptTraining(plan, request),
    forgetTraining: () => engine.forgetTraining(),
    recover: ([plan, request], options) => engine.recover(plan, request, options),
    speed: ([plan, request], options) => engine.speed(plan, request, options),
    generate: ([plan, request], options) => engine.generate(plan, request, options),
    export: ([plan, request], options) => engine.export(plan, request, options),
  };
  const api: EngineEndpoint = {
    async call<Name extends CallName>(
      id: number,
      name: Name,
      args: CallArguments[Name],
      onEvent: EventListener | undefined,
    ) {
      const controller = new AbortController();
      running.set(id, controller);
      const events = deliveries(onEvent);
      try {
        const value = await dispatch[name](args, { signal: controller.signal, ...events.hooks });
        // Events and the result travel on different ports, which keep no order between each other.
        await events.delivered();
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

/** Hooks that send events, and a promise for the moment when the page has received all of them. */
function deliveries(onEvent: EventListener | undefined): {
  readonly hooks: CallOptions;
  delivered(): Promise<unknown>;
} {
  if (onEvent === undefined) return { hooks: {}, delivered: async () => undefined };
  const pending = new Set<Promise<void>>();
  const send = (event: CallEvent) => {
    const sent = Promise.resolve(onEvent(event)).finally(() => pending.delete(sent));
    pending.add(sent);
  };
  return {
    hooks: {
      onProgress: (progress) => send({ type: 'progress', progress }),
      onToken: (token) => send({ type: 'token', token }),
      onItems: (items) => send({ type: 'items', items }),
      onStep: (step) => send({ type: 'step', step }),
    },
    delivered: () => Promise.all(pending),
  };
}

function wireError(error: unknown): WireError {
  if (error instanceof EspalierError) return { code: error.code, message: error.message };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
