import type { WeightBinding } from '../architecture/architecture.ts';
import { checkWeight } from '../architecture/weights.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { MissingError } from '../errors.ts';

/** The weights of one program, by role ('attention.query'), with those that the checkpoint does not have told apart from those that must be there. */
export class WeightNames {
  readonly #bindings: ReadonlyMap<string, WeightBinding>;
  readonly #checkpoint: Checkpoint;

  constructor(checkpoint: Checkpoint, bindings: readonly WeightBinding[]) {
    this.#checkpoint = checkpoint;
    this.#bindings = new Map(bindings.map((binding) => [binding.input, binding]));
  }

  /** Throws MissingError and MismatchError when the checkpoint's tensor is not there or not of the config's shape. */
  get(role: string): WeightBinding {
    const binding = this.#bindings.get(role);
    if (!binding) throw new MissingError(`The architecture binds no weight to ${role}, which the decoder needs.`);
    checkWeight(this.#checkpoint, binding);
    return binding;
  }

  /** A weight that most checkpoints do not have, such as a bias. */
  optional(role: string): WeightBinding | undefined {
    const binding = this.#bindings.get(role);
    return binding && this.#checkpoint.tensors.has(binding.tensor) ? this.get(role) : undefined;
  }
}
