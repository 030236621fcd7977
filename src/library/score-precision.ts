import type { Precision } from '../architecture/precision.ts';
import { Programs } from '../architecture/programs.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import { UnsupportedError } from '../errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { OpenModel } from './open-model.ts';

/** What to score in: f32, single precision; f16, half precision; auto, half precision on graphics cards that compute in it where it is checked, and single precision where that does not suffice. */
export type PrecisionChoice = Precision | 'auto';

/**
 * The precision to score in, and with `auto` the one to score in where the first does not suffice. Adapters in software gain nothing from half precision, and drivers can be wrong in it without an error, so
 * that `auto` leaves out the former and takes half precision only where a layer is compared with another backend (`checked`).
 * Throws UnsupportedError for half precision where the runtime does not compute in it.
 */
export function precisionsFor(
  { backend, adapter, description }: Pick<Runtime, 'backend' | 'adapter' | 'description'>,
  choice: PrecisionChoice = 'f32',
  checked = false,
): readonly [first: Precision, otherwise?: Precision] {
  const has = backend === 'webgpu' && adapter?.halfPrecision === true;
  if (choice === 'f16' && !has)
    throw new UnsupportedError(
      `Half precision (f16) was chosen for scoring, which ${description} does not compute in. Choose f32, or the webgpu backend on an adapter that has shader-f16.`,
    );
  if (choice === 'auto') return has && checked && !adapter.software ? ['f16', 'f32'] : ['f32'];
  return [choice];
}

/** What scoring a model in a precision runs on: in single precision the model's own programs and weights. Whatever is made anew is freed on disposal. */
export function scoringPrograms(
  open: OpenModel,
  precision: Precision,
): { readonly programs: Programs; readonly store: WeightStore } & Disposable {
  const { runtime, model, programs, store } = open;
  if (precision === 'f32') return { programs, store, [Symbol.dispose]: () => undefined };
  const own = new Programs(runtime, model.architecture, precision);
  return {
    programs: own,
    store: new WeightStore(runtime, model, 0, precision),
    [Symbol.dispose]: () => own.dispose(),
  };
}
