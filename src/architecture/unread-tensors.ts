import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { UnsupportedError } from '../errors.ts';
import type { Architecture } from './architecture.ts';

/** Side tensors of weights that are packed or quantised: codes, scales, zero points, orders of columns. */
export const QUANTISATION_TENSOR =
  /\.(qweight|qzeros|g_idx|scales|zeros|weight_packed|weight_scale|weight_scale_inv|weight_zero_point|weight_shape|weight_g_idx|input_scale|SCB|weight_format|(weight\.)?(absmax|quant_map|nested_absmax|nested_quant_map|quant_state\..*))$/;

/** Tensors that are computed anew from config.json, and that older files store: rotary tables, masks. */
const HARMLESS = [
  /(^|\.)rotary_emb\.(inv_freq|cos_cached|sin_cached|original_inv_freq)$/,
  /(^|\.)rotary_pos_emb\.inv_freq$/,
  /^blk\.\d+\.attn_rot_embd(\.weight)?$/,
  /\.(attn|attention)\.(bias|masked_bias)$/,
  /\.self_attn\.(bias|masked_bias|causal_mask|rotary_emb\.[\w.]+)$/,
  /(^|\.)(position_ids|causal_mask|freqs_cis|rope\.freqs)$/,
];

/** What tensors that are left over by their names are, and what helps. The first that fits is told. */
const KINDS: readonly { readonly matches: RegExp; readonly remedy: string }[] = [
  {
    matches:
      /(^|\.)(lora_[AB]|lora_embedding_[AB]|lora_magnitude_vector|adapter\w*|modules_to_save|base_layer)(\.|$)|^base_model\./,
    remedy: 'They belong to an adapter: merge it into its model, e.g. with merge_and_unload() of peft',
  },
  {
    matches: QUANTISATION_TENSOR,
    remedy: 'They belong to a quantisation that is not read: take the model in half precision, or as a GGUF file',
  },
  {
    matches: /^(score|classifier|classification_head|v_head|value_head|reward_head|qa_outputs)\./,
    remedy: 'They are the head of a classifier or a reward model: take the language model that it was made from',
  },
  {
    matches: /experts?\b|\.router\.|ffn_gate_inp|block_sparse_moe|_exps\./,
    remedy: 'They belong to a mixture of experts, which is not supported: take a dense model',
  },
  {
    matches: /vision|visual|multi_modal_projector|audio|mm_projector/,
    remedy: 'They read images or sound: take the language model alone',
  },
];

/** By `model_type`: tensors that files of a family have beside its language model, each with what they do. They are left out, and `inspect` tells so. */
const BESIDE: Readonly<Record<string, readonly { readonly matches: RegExp; readonly what: string }[]>> = {
  qwen3_5_text: [
    { matches: /^mtp\./, what: 'predict further tokens (mtp)' },
    { matches: /^(model\.)?visual\./, what: 'read images (visual)' },
  ],
};

/** The checkpoint without what its files have beside the language model, and a note of that; itself where they have nothing such. */
export function withoutBeside(checkpoint: Checkpoint, { config }: Architecture): Checkpoint {
  const names = [...checkpoint.tensors.keys()];
  const found = (BESIDE[config.architecture] ?? []).flatMap(({ matches, what }) => {
    const left = names.filter((name) => matches.test(name));
    return left.length > 0 ? [{ left, what }] : [];
  });
  if (found.length === 0) return checkpoint;
  const gone = new Set(found.flatMap(({ left }) => left));
  const told = found.map(({ left, what }) => `${left.length} ${left.length === 1 ? 'tensor' : 'tensors'} that ${what}`);
  return {
    ...checkpoint,
    tensors: new Map([...checkpoint.tensors].filter(([name]) => !gone.has(name))),
    notes: [...(checkpoint.notes ?? []), `Left out: ${told.join(', and ')}. The language model does not need them.`],
  };
}

/** Names of the tensors that neither the architecture reads nor are known to change nothing. */
function unreadTensors({ tensors }: Checkpoint, architecture: Architecture): string[] {
  const read = new Set(
    [
      ...architecture.embedWeights(),
      ...architecture.config.layerWidths.flatMap((_, layer) => architecture.blockWeights(layer)),
      ...architecture.headWeights(),
    ].map(({ tensor }) => tensor),
  );
  return [...tensors.keys()].filter((name) => !read.has(name) && !HARMLESS.some((harmless) => harmless.test(name)));
}

/** Throws UnsupportedError that names tensors which are left over, says what they are, and what helps. */
export function refuseUnread(checkpoint: Checkpoint, architecture: Architecture): void {
  const unread = unreadTensors(checkpoint, architecture);
  if (unread.length === 0) return;
  const { name } = checkpoint.provenance;
  const some = unread.slice(0, 3).join(', ') + (unread.length > 3 ? ', …' : '');
  const what = unread.length === 1 ? '1 tensor' : `${unread.length} tensors`;
  const none = `${name} has ${what} that the architecture ${architecture.config.architecture} does not read: ${some}. A model without ${unread.length === 1 ? 'it' : 'them'} is another model.`;
  throw new UnsupportedError(
    `${none} ${remedyFor(unread, architecture)}; --ignore-tensors (ignoreTensors) leaves them out.`,
  );
}

/** The same for tensors of a known kind only: they explain why others are missing, which would be told otherwise. */
export function refuseKnownUnread(checkpoint: Checkpoint, architecture: Architecture): void {
  const unread = unreadTensors(checkpoint, architecture);
  if (KINDS.some(({ matches }) => unread.some((name) => matches.test(name)))) refuseUnread(checkpoint, architecture);
}

function remedyFor(unread: readonly string[], { config }: Architecture): string {
  const beyond = unread.find((name) => Number(/^model\.layers\.(\d+)\./.exec(name)?.[1] ?? -1) >= config.layers);
  if (beyond !== undefined)
    return `config.json says num_hidden_layers ${config.layers}: correct it if the layers beyond belong to the model`;
  const kind = KINDS.find(({ matches }) => unread.some((name) => matches.test(name)));
  return kind?.remedy ?? 'Check that the config names the right architecture, or take a model of a supported one';
}

/** The checkpoint without the tensors that its architecture does not read: for callers who know that they change nothing. */
export function withoutUnread(checkpoint: Checkpoint, architecture: Architecture): Checkpoint {
  const unread = new Set(unreadTensors(checkpoint, architecture));
  return { ...checkpoint, tensors: new Map([...checkpoint.tensors].filter(([name]) => !unread.has(name))) };
}
