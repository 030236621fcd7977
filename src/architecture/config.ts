import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { MismatchError } from '../errors.ts';
import type { Activation, LayerPositions, LayerWidths, ModelConfig } from './architecture.ts';
import { ConfigFields } from './config-fields.ts';
import { KEY_RULES } from './family-keys.ts';
import { readPositions } from './rope-config.ts';

const LIMITS = {
  layers: 1024,
  width: 1 << 20,
  headDimension: 1 << 12,
  vocabulary: 1 << 24,
  positions: 1 << 30,
} as const;

/** What the common part of a config boils down to. */
export interface CommonConfig {
  readonly config: ModelConfig;
  readonly activation: Activation;
  /** Rotation of the whole model, without a window. */
  readonly positions: LayerPositions;
}

/** What the widths of dense layers follow from. */
export type LayerSizes = Pick<ModelConfig, 'layers' | 'hiddenSize' | 'keyValueHeads' | 'neurons'>;

/** The fields of config.json over an architecture's own defaults (those of transformers' config classes), under LLaMA's names of them. */
export function configFields(
  checkpoint: Checkpoint,
  defaults: Readonly<Record<string, unknown>>,
  aliases?: Readonly<Record<string, string>>,
): ConfigFields {
  return new ConfigFields({ ...defaults, ...checkpoint.config }, '', aliases);
}

/**
 * Reads the fields that every decoder-only architecture shares. `ropeSection` names the part of `rope_parameters` that holds where it is
 * nested by layer type, `dense` gives the widths of the layers where they are not all alike. Throws FileFormatError for missing or ill-typed fields, MismatchError for sizes that do not fit each other and
 * UnsupportedError for activations and rope scalings that are not computed.
 */
export function readCommonConfig(
  checkpoint: Checkpoint,
  fields: ConfigFields,
  architecture: string,
  ropeSection?: string,
  dense?: (sizes: LayerSizes) => readonly LayerWidths[],
): CommonConfig {
  const layers = fields.integer('num_hidden_layers', LIMITS.layers);
  const hiddenSize = fields.integer('hidden_size', LIMITS.width);
  const queryHeads = fields.integer('num_attention_heads', LIMITS.width);
  const keyValueHeads = fields.integer('num_key_value_heads', LIMITS.width, queryHeads);
  if (queryHeads % keyValueHeads !== 0)
    throw new MismatchError(
      `config.json: num_attention_heads ${queryHeads} is not a multiple of num_key_value_heads ${keyValueHeads}. Correct one of them.`,
    );
  if (!fields.has('head_dim') && hiddenSize % queryHeads !== 0)
    throw new MismatchError(
      `config.json: hidden_size ${hiddenSize} is not a multiple of num_attention_heads ${queryHeads}. Correct one of them or add head_dim.`,
    );
  const headDimension = fields.integer('head_dim', LIMITS.headDimension, hiddenSize / queryHeads);
  const neurons = fields.integer('intermediate_size', LIMITS.width);
  const stated = fields.integer('max_position_embeddings', LIMITS.positions, 2048);
  const partRule = KEY_RULES[architecture]?.partial_rotary_factor;
  const { positions, ropeTheta, longest } = readPositions(checkpoint.config, fields, {
    headDimension,
    maximumPositions: stated,
    section: ropeSection,
    turnsWhole: typeof partRule === 'object' ? partRule : undefined,
  });
  return {
    positions,
    activation: readActivation(fields),
    config: {
      architecture,
      layers,
      hiddenSize,
      queryHeads,
      keyValueHeads,
      headDimension,
      neurons,
      vocabulary: fields.integer('vocab_size', LIMITS.vocabulary),
      ropeTheta,
      ropeInverseFrequencies: positions.inverseFrequencies,
      normEpsilon: fields.positive('rms_norm_eps', 1e-6),
      tiedEmbedding: fields.boolean('tie_word_embeddings', !checkpoint.tensors.has('lm_head.weight')),
      maximumPositions: Math.min(stated, longest),
      bosTokenId: fields.tokenIds('bos_token_id')[0],
      eosTokenIds: fields.tokenIds('eos_token_id'),
      layerWidths: readWidths(
        fields,
        dense?.({ layers, hiddenSize, keyValueHeads, neurons }) ??
          Array.from({ length: layers }, () => ({ keyValueHeads, neurons })),
      ),
    },
  };
}

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_pytorch_tanh: 'gelu-tanh',
  gelu_new: 'gelu-tanh',
  gelu_fast: 'gelu-tanh',
  relu: 'relu',
};

/** Gemma's key wins where it is there; another word under the other key would be left out without a word. */
function readActivation(fields: ConfigFields): Activation {
  const [key, other] = fields.has('hidden_activation')
    ? ['hidden_activation', 'hidden_act']
    : ['hidden_act', 'hidden_activation'];
  const activation = fields.choice<Activation>(key, ACTIVATIONS, 'silu');
  if (fields.has(other) && fields.choice<Activation>(other, ACTIVATIONS, 'silu') !== activation)
    throw fields.wrong(other, `the same as ${key}, or absent`);
  return activation;
}

/** Widths of a pruned model's layers, under `espalier`; a model without them is dense. */
function readWidths(fields: ConfigFields, dense: readonly LayerWidths[]): readonly LayerWidths[] {
  const espalier = fields.object('espalier');
  if (!espalier) return dense;
  return espalier.objects('layers', dense.length).map((entry, layer) => {
    const { keyValueHeads = 0, neurons = 0, channels, recurrent, experts } = dense[layer] ?? {};
    const kept = entry.integer('neurons', neurons, undefined, 0);
    const ofExperts = experts && (entry.indices('experts') ?? []);
    if (ofExperts && ofExperts.reduce((sum, count) => sum + count, 0) !== kept)
      throw entry.wrong('experts', `the neurons of each expert, ${kept} together`);
    return {
      keyValueHeads: entry.integer('keyValueHeads', keyValueHeads, undefined, 0),
      neurons: kept,
      ...(channels !== undefined && { channels: entry.integer('channels', channels, undefined, 0) }),
      // A recurrence stays as long as its layer does.
      ...(recurrent !== undefined && { recurrent: kept > 0 }),
      ...(ofExperts && { experts: ofExperts }),
    };
  });
}
