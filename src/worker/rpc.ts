import { type Endpoint, expose, proxy, wrap } from 'comlink';
import { CancelledError, EspalierError, throwIfCancelled, UsageError } from '../errors.ts';
import { refuseNaN } from './refuse-nan.ts';

/**
 * Calls between a page and its worker: an object of asynchronous methods here, and a proxy with the same type there. No method is listed.
 *
 * Arguments and results are cloned. The last argument may be an object of options with signals and callbacks, by whatever names: signals fire there when they fire here,
 * callbacks are called here when they are called there. The signal called `signal` cancels: the call rejects at once, while the worker still winds up.
 */
export type Callable<Service> = { readonly [Name in keyof Service]: (...args: never[]) => Promise<unknown> };

/** What one call sends: the method, its arguments, and which fields of the last one are signals and callbacks. */
interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly signals: readonly string[];
  readonly callbacks: readonly string[];
}

/** A callback that was called there. */
interface CallbackEvent {
  readonly name: string;
  readonly values: readonly unknown[];
}

/** An error as plain data: classes do not survive structured cloning. */
interface WireError {
  readonly code: string;
  readonly message: string;
}

type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: WireError };

/** What the worker exposes. `id` is the caller's and names the call for `abort`. */
export interface Server {
  call(id: number, call: Call, emit: ((event: CallbackEvent) => void | Promise<void>) | undefined): Promise<Outcome>;
  abort(id: number, signal: string): void;
}

const CANCEL = 'signal';

/**
 * The page's end: a service whose methods are answered at the other end of `endpoint`. They reject with EspalierErrors of the code and sentence that were thrown there.
 * `failure` rejects when nobody will ever answer, and every call with it.
 */
export function connect<Service extends Callable<Service>>(endpoint: Endpoint, failure?: Promise<never>): Service {
  const remote = wrap<Server>(endpoint);
  const open = new Map<number, (reason: unknown) => void>();
  let failed: { readonly reason: unknown } | undefined;
  failure?.catch((reason: unknown) => {
    failed = { reason };
    for (const reject of open.values()) reject(reason);
  });
  let last = 0;
  const send = (name: string, given: readonly unknown[]) =>
    new Promise<unknown>((resolve, reject) => {
      const { args, signals, callbacks } = parted(given);
      throwIfCancelled(signals.get(CANCEL));
      if (failed) throw failed.reason;
      last += 1;
      const id = last;
      const aborts = [...signals].map(([signal, source]) => {
        const onAbort = () => {
          void remote.abort(id, signal);
          if (signal === CANCEL) reject(new CancelledError());
        };
        if (source.aborted) queueMicrotask(onAbort);
        else source.addEventListener('abort', onAbort, { once: true });
        return () => source.removeEventListener('abort', onAbort);
      });
      open.set(id, reject);
      const onEvent = (event: CallbackEvent) => {
        if (open.has(id) && !signals.get(CANCEL)?.aborted) callbacks.get(event.name)?.(...event.values);
      };
      const call = { name, args, signals: [...signals.keys()], callbacks: [...callbacks.keys()] };
      remote
        .call(id, call, callbacks.size > 0 ? proxy(onEvent) : undefined)
        .then((outcome) => (outcome.ok ? resolve(outcome.value) : reject(revived(outcome.error))), reject)
        .finally(() => {
          open.delete(id);
          for (const forget of aborts) forget();
        });
    });
  const methods: ProxyHandler<Service> = {
    // A proxy that is returned from an asynchronous function is asked for `then`.
    get: (_, name) =>
      typeof name === 'string' && name !== 'then' ? (...args: unknown[]) => send(name, args) : undefined,
  };
  return new Proxy({} as Service, methods);
}

/** Serves `service` over an endpoint (the worker's global scope, a message port). */
export function serve<Service extends Callable<Service>>(service: Service, endpoint?: Endpoint): void {
  const running = new Map<number, ReadonlyMap<string, AbortController>>();
  const server: Server = {
    async call(id, call, emit) {
      const controllers = new Map(call.signals.map((signal) => [signal, new AbortController()]));
      running.set(id, controllers);
      const events = deliveries(emit);
      try {
        if (!Object.hasOwn(service, call.name))
          throw new UsageError(
            `The engine has no call "${call.name}": the page and its engine are of different versions. Reload the page.`,
          );
        const value = await service[call.name as keyof Service](...(joined(call, controllers, events.emit) as never[]));
        refuseNaN(value, call.name);
        // Events and the result travel on different ports, which keep no order between each other.
        await events.delivered();
        return { ok: true, value };
      } catch (error) {
        return { ok: false, error: wireError(error) };
      } finally {
        running.delete(id);
      }
    },
    abort(id, signal) {
      running.get(id)?.get(signal)?.abort();
    },
  };
  expose(server, endpoint);
}

/** Arguments as they can be cloned, with the signals and callbacks of the last one apart. */
function parted(given: readonly unknown[]) {
  const signals = new Map<string, AbortSignal>();
  const callbacks = new Map<string, (...values: readonly unknown[]) => void>();
  const options = given.at(-1);
  if (!isPlain(options)) return { args: given, signals, callbacks };
  const data: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value instanceof AbortSignal) signals.set(name, value);
    else if (typeof value === 'function') callbacks.set(name, value as (...values: readonly unknown[]) => void);
    else data[name] = value;
  }
  return { args: [...given.slice(0, -1), data], signals, callbacks };
}

/** The arguments again, with signals and callbacks of this side. */
function joined(
  { args, signals, callbacks }: Call,
  controllers: ReadonlyMap<string, AbortController>,
  emit: (event: CallbackEvent) => void,
): readonly unknown[] {
  if (signals.length === 0 && callbacks.length === 0) return args;
  const options = {
    ...(args.at(-1) as Record<string, unknown>),
    ...Object.fromEntries([...controllers].map(([name, { signal }]) => [name, signal])),
    ...Object.fromEntries(callbacks.map((name) => [name, (...values: unknown[]) => emit({ name, values })])),
  };
  return [...args.slice(0, -1), options];
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Sends events, and tells when the page has received all of them. */
function deliveries(emit: Parameters<Server['call']>[2]) {
  const pending = new Set<Promise<void>>();
  return {
    emit(event: CallbackEvent): void {
      const sent = Promise.resolve(emit?.(event)).finally(() => pending.delete(sent));
      pending.add(sent);
    },
    delivered: () => Promise.all(pending),
  };
}

function wireError(error: unknown): WireError {
  if (error instanceof EspalierError) return { code: error.code, message: error.message };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}

function revived({ code, message }: WireError): EspalierError {
  return code === 'cancelled' ? new CancelledError(message) : new EspalierError(code, message);
}
