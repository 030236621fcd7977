import type { TensorInfo } from '../../checkpoint.ts';
import type { Weights } from '../../weights.ts';

/** What wrappers put before every name: compiled modules, data parallelism, adapters that were merged. */
const WRAPPERS = ['_orig_mod.', 'module.', 'base_model.model.'];

/**
 * Names of the Hugging Face layout where a wrapper's prefix stands before all of them, or where the decoder without its output matrix was saved, whose
 * names lack `model.`. Other weights are returned as they are.
 */
export function unwrapNames(weights: Weights): Weights {
  const names = [...weights.tensors.keys()];
  let prefix = '';
  for (let found: string | undefined = ''; found !== undefined; ) {
    found = WRAPPERS.find((wrapper) => names.length > 0 && names.every((name) => name.startsWith(prefix + wrapper)));
    prefix += found ?? '';
  }
  const bare = names.map((name) => name.slice(prefix.length));
  const isDecoder = bare.includes('embed_tokens.weight') && !bare.some((name) => name.startsWith('model.'));
  if (prefix === '' && !isDecoder) return weights;
  const inside = /^(embed_tokens|layers|norm|rotary_emb)\./;
  const stored = new Map(
    bare.map((name, i) => [isDecoder && inside.test(name) ? `model.${name}` : name, names[i] as string]),
  );
  const tensors = new Map<string, TensorInfo>();
  for (const [name, old] of stored) tensors.set(name, { ...(weights.tensors.get(old) as TensorInfo), name });
  return { ...weights, tensors, read: (name, rows) => weights.read(stored.get(name) ?? name, rows) };
}
