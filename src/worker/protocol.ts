import type { RecoveryProgress } from '../library/recover.ts';
import type { TaskItemResult } from '../library/tasks.ts';
import type { Progress } from '../progress.ts';
import type { CallOptions, Engine, GeneratedToken } from './engine.ts';

/** The engine's calls by name, without the options that cannot be cloned (signal, callbacks): those travel as events and `cancel`. */
export type CallName = keyof Engine;
export type CallResult<Name extends CallName> = Awaited<ReturnType<Engine[Name]>>;

/** Arguments that are structured-cloned to the worker. */
export interface CallArguments {
  readonly backend: readonly [choice: Parameters<Engine['backend']>[0]];
  readonly openModel: readonly [source: Parameters<Engine['openModel']>[0]];
  readonly offer: readonly [name: string];
  readonly stored: readonly [];
  readonly forget: readonly [model: Parameters<Engine['forget']>[0]];
  readonly score: readonly [request: Parameters<Engine['score']>[0]];
  readonly windows: readonly [request: Parameters<Engine['windows']>[0]];
  readonly refine: readonly [request: Parameters<Engine['refine']>[0]];
  readonly fit: Readonly<Parameters<Engine['fit']>>;
  readonly evaluate: readonly [plan: Parameters<Engine['evaluate']>[0], request: Parameters<Engine['evaluate']>[1]];
  readonly task: readonly [plan: Parameters<Engine['task']>[0], request: Parameters<Engine['task']>[1]];
  readonly keptTraining: Readonly<Parameters<Engine['keptTraining']>>;
  readonly forgetTraining: readonly [];
  readonly recover: readonly [plan: Parameters<Engine['recover']>[0], request: Parameters<Engine['recover']>[1]];
  readonly speed: readonly [plan: Parameters<Engine['speed']>[0], request: Parameters<Engine['speed']>[1]];
  readonly generate: readonly [plan: Parameters<Engine['generate']>[0], request: Parameters<Engine['generate']>[1]];
  readonly export: readonly [plan: Parameters<Engine['export']>[0], request: Parameters<Engine['export']>[1]];
}

/** What the worker tells about a running call. */
export type CallEvent =
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'token'; readonly token: GeneratedToken }
  | { readonly type: 'items'; readonly items: readonly TaskItemResult[] }
  | { readonly type: 'step'; readonly step: RecoveryProgress };

/** Tells an event to whom the caller named for it. */
export function hear(event: CallEvent, { onProgress, onToken, onItems, onStep }: CallOptions): void {
  if (event.type === 'progress') onProgress?.(event.progress);
  else if (event.type === 'token') onToken?.(event.token);
  else if (event.type === 'items') onItems?.(event.items);
  else onStep?.(event.step);
}

/** The page's ear for events; resolves when it has heard one. */
export type EventListener = (event: CallEvent) => void | Promise<void>;

/** An error as plain data: classes do not survive structured cloning. */
export interface WireError {
  readonly code: string;
  readonly message: string;
}

export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: WireError };

/** What the worker exposes. `id` is the caller's and names the call for `cancel`. */
export interface EngineEndpoint {
  call<Name extends CallName>(
    id: number,
    name: Name,
    args: CallArguments[Name],
    onEvent: EventListener | undefined,
  ): Promise<Outcome<CallResult<Name>>>;
  cancel(id: number): void;
}
