import type { ModelConfig } from '../architecture/architecture.ts';
import { layerTypes } from '../architecture/layer-types.ts';
import type { Model } from '../architecture/model.ts';
import { withStatedRopeFactor } from '../architecture/rope-factor.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { parseJsonRecord } from '../checkpoint/files/json.ts';
import { chatTemplatesOf, DEFAULT_TEMPLATE } from '../checkpoint/tokenizer/named-templates.ts';
import type { ExportFormat } from '../decoder/dtypes.ts';

/** Files that are copied as they are where the model has them. */
const COPIED = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
  'LICENSE',
  'LICENSE.txt',
  'NOTICE',
];

/** The companion files to copy, with their contents. */
export async function copiedFiles(
  checkpoint: Checkpoint,
): Promise<{ readonly name: string; readonly bytes: Uint8Array }[]> {
  const found: { readonly name: string; readonly bytes: Uint8Array }[] = [];
  for (const name of COPIED) {
    const bytes = await checkpoint.file(name);
    if (bytes) found.push({ name, bytes });
  }
  // chat_template.jinja goes before the list in tokenizer_config.json: what the list has beside it stands in files of its own.
  const settings = found.find(({ name }) => name === 'tokenizer_config.json');
  if (settings && found.some(({ name }) => name === 'chat_template.jinja')) {
    const config = parseJsonRecord(settings.bytes, 'tokenizer_config.json');
    for (const [name, template] of chatTemplatesOf(config.chat_template, undefined))
      if (name !== DEFAULT_TEMPLATE && /^\w[\w-]*$/.test(name))
        found.push({ name: `additional_chat_templates/${name}.jinja`, bytes: new TextEncoder().encode(template) });
  }
  return found;
}

/**
 * config.json of the export. Sizes stay those of the dense model, so that every reader of the family accepts them; the kept widths are under
 * `espalier.layers`, and transformers.js learns dtype and external data. `positions` is the longest sequence that the decoder holds.
 */
export function exportedConfig(
  { checkpoint, architecture }: Model,
  format: ExportFormat,
  positions: number,
): Record<string, unknown> {
  const { config } = architecture;
  const { quantization_config: _, torch_dtype: __, ...kept } = withStatedRopeFactor(checkpoint.config);
  return {
    ...kept,
    max_position_embeddings: positions,
    head_dim: config.headDimension,
    num_key_value_heads: config.keyValueHeads,
    tie_word_embeddings: config.tiedEmbedding,
    dtype: format.activations,
    // transformers.js looks here for layers with other caches than keys and values.
    ...((config.convolution || config.recurrence) && { layer_types: layerTypes(architecture) }),
    espalier: { layers: config.layerWidths },
    'transformers.js_config': { dtype: format.transformersName, use_external_data_format: { [format.file]: 1 } },
  };
}

/** generation_config.json: the model's own, or the ids of config.json. */
export async function generationConfig(checkpoint: Checkpoint, config: ModelConfig): Promise<Uint8Array | object> {
  const own = await checkpoint.file('generation_config.json');
  if (own) return own;
  const { bosTokenId, eosTokenIds } = config;
  return {
    ...(bosTokenId === undefined ? {} : { bos_token_id: bosTokenId }),
    ...(eosTokenIds.length === 0 ? {} : { eos_token_id: eosTokenIds.length === 1 ? eosTokenIds[0] : eosTokenIds }),
  };
}
