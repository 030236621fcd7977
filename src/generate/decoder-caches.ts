import { UnsupportedError } from '../errors.ts';
import type { ValueInfo } from '../onnx/graph.ts';
import type { Session } from '../runtime/runtime.ts';
import type { CacheSlot, StateSlot } from './cache.ts';

/** Inputs of decoders that are made anew for every run. */
const RUN_INPUTS = ['input_ids', 'attention_mask', 'position_ids', 'num_logits_to_keep'] as const;

/** The name of a cache among the outputs: transformers.js' and Optimum's. */
const presentOf = (past: string) =>
  past.startsWith('past_key_values') ? past.replace('past_key_values', 'present') : past.replace('past_', 'present_');

const KEYS_AND_VALUES = /^past_key_values\.\d+\.(key|value)$/;
const STATES = /^past_(conv|recurrent)\.\d+$/;

/** The caches of a decoder: keys and values, and states. Throws UnsupportedError for an input that no decoder has, for caches of unknown shape, and for a model without keys and values. */
export function cachesOf(
  session: Session,
  label: string,
  headDimension: number | undefined,
): { readonly slots: CacheSlot[]; readonly states: StateSlot[] } {
  const inputs = session.inputs.filter(({ name }) => !(RUN_INPUTS as readonly string[]).includes(name));
  const caches = inputs.filter(({ name }) => !STATES.test(name));
  if (caches.length === 0)
    throw new UnsupportedError(
      `${label} has no key/value cache (past_key_values.{layer}.key|value), so that it cannot decode token by token. Export it with past.`,
    );
  return {
    slots: caches.map((input) => cacheSlot(input, session, label, headDimension)),
    states: inputs.filter(({ name }) => STATES.test(name)).map((input) => stateSlot(input, session, label)),
  };
}

function cacheSlot(
  { name, dataType, shape }: ValueInfo,
  session: Session,
  label: string,
  known: number | undefined,
): CacheSlot {
  const present = presentOf(name);
  const [, heads, , channels] = shape;
  const isFloat = dataType === 'float32' || dataType === 'float16';
  if (!KEYS_AND_VALUES.test(name) || !session.outputNames.includes(present) || !isFloat)
    throw new UnsupportedError(
      `${label}: the input ${name} (${dataType}) is not known; decoders have ${RUN_INPUTS.join(', ')} and past_key_values.{layer}.key|value with present.{layer}.key|value.`,
    );
  const headDimension = typeof channels === 'number' ? channels : known;
  if (shape.length !== 4 || typeof heads !== 'number' || headDimension === undefined)
    throw new UnsupportedError(
      `${label}: the cache ${name} has shape [${shape.join(', ')}]; it must be [batch, heads, past, head dimension] with numbers for heads and dimension, or head_dim in config.json.`,
    );
  return { past: name, present, dataType, heads, headDimension };
}

function stateSlot({ name, dataType, shape }: ValueInfo, session: Session, label: string): StateSlot {
  const present = presentOf(name);
  const [, ...sizes] = shape;
  const isKnown = sizes.length > 0 && sizes.every((size): size is number => typeof size === 'number');
  if (!isKnown || !session.outputNames.includes(present) || (dataType !== 'float32' && dataType !== 'float16'))
    throw new UnsupportedError(
      `${label}: the state ${name} (${dataType} [${shape.join(', ')}]) must be of floats with a number for every size but the batch, and come back as ${present}.`,
    );
  return { past: name, present, dataType, shape: [1, ...sizes] };
}
