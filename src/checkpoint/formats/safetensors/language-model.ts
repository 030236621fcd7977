import type { TensorInfo } from '../../checkpoint.ts';
import { isRecord, type JsonRecord } from '../../files/json.ts';
import type { Weights } from '../../weights.ts';

/** Where models that also see or hear keep their language model: its prefix there, and its prefix alone. */
const PLACES = [
  ['language_model.model.', 'model.'],
  ['model.language_model.', 'model.'],
  ['language_model.lm_head.', 'lm_head.'],
] as const;

/** Keys that a wrapper's config states for the language model. */
const SHARED = ['tie_word_embeddings', 'bos_token_id', 'eos_token_id', 'quantization_config', 'espalier'] as const;

/**
 * The language model of one that also sees or hears: config.json's `text_config` in place of the whole, and tensors without the wrapper's prefix. The other parts' tensors
 * stay, so that nobody takes the model for whole without a word. A config without `text_config` is returned as it is.
 */
export function languageModel(
  weights: Weights,
  config: JsonRecord,
): { readonly weights: Weights; readonly config: JsonRecord } {
  const { text_config: text } = config;
  if (!isRecord(text) || typeof text.model_type !== 'string') return { weights, config };
  const shared = Object.fromEntries(SHARED.flatMap((key) => (config[key] === undefined ? [] : [[key, config[key]]])));
  const stored = new Map<string, string>();
  const tensors = new Map<string, TensorInfo>();
  for (const [name, info] of weights.tensors) {
    const place = PLACES.find(([prefix]) => name.startsWith(prefix));
    const own = place ? place[1] + name.slice(place[0].length) : name;
    stored.set(own, name);
    tensors.set(own, { ...info, name: own });
  }
  return {
    config: { ...shared, ...text },
    weights: { ...weights, tensors, read: (name, rows) => weights.read(stored.get(name) ?? name, rows) },
  };
}
