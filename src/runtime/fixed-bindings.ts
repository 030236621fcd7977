import { MismatchError, UsageError } from '../errors.ts';
import type { DeviceTensor } from './runtime.ts';

type Tensors = Readonly<Record<string, DeviceTensor>>;

/** Holds a session with graph capture to its first run's tensors: ONNX Runtime replays that run and does not look at what later runs are given. */
export class FixedBindings {
  readonly #label: string;
  #first: { readonly feeds: Tensors; readonly into: Tensors } | undefined;

  constructor(label: string) {
    this.#label = label;
  }

  /** Remembers the first run. Throws UsageError for an output without a tensor, MismatchError for tensors other than the first run's. */
  check(feeds: Tensors, outputs: readonly string[], into: Tensors): void {
    const unbound = outputs.find((name) => !into[name]);
    if (unbound !== undefined)
      throw new UsageError(`${this.#label} uses graph capture: its output ${unbound} needs a tensor in \`into\`.`);
    this.#first ??= { feeds, into };
    const { feeds: firstFeeds, into: firstInto } = this.#first;
    const changed =
      Object.keys(firstFeeds).find((name) => firstFeeds[name] !== feeds[name]) ??
      Object.keys({ ...firstInto, ...into }).find((name) => firstInto[name] !== into[name]);
    if (changed !== undefined)
      throw new MismatchError(
        `${this.#label} uses graph capture: ${changed} must be the same tensor in every run. Write new contents into it, or create another session.`,
      );
  }
}
