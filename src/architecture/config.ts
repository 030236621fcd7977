import { FileFormatError, MismatchError, UnsupportedError } from '../errors.ts';
import type { LayerWidths, ModelConfig } from './architecture.ts';
import { inverseFrequencies, parseRopeScaling } from './rope.ts';

type Raw = Readonly<Record<string, unknown>>;

/** What differs between architectures when the common fields are read. */
export interface ConfigDefaults {
  readonly architecture: string;
  readonly ropeTheta?: number;
  readonly tiedEmbedding?: boolean;
}

const LIMITS = { layers: 1024, width: 1 << 20, vocabulary: 1 << 24, positions: 1 << 30 } as const;

/**
 * Reads the fields that every decoder-only architecture shares.
 * Throws FileFormatError for missing or ill-typed fields and MismatchError for sizes that do not fit each other.
 */
export function readModelConfig(raw: Raw, defaults: ConfigDefaults): ModelConfig {
  const layers = integer(raw, 'num_hidden_layers', LIMITS.layers);
  const hiddenSize = integer(raw, 'hidden_size', LIMITS.width);
  const queryHeads = integer(raw, 'num_attention_heads', LIMITS.width);
  const keyValueHeads = integer(raw, 'num_key_value_heads', LIMITS.width, queryHeads);
  if (raw.head_dim === undefined && hiddenSize % queryHeads !== 0) {
    throw new MismatchError(`config.json: hidden_size ${hiddenSize} is not a multiple of num_attention_heads ${queryHeads}, and there is no head_dim.`);
  }
  const headDimension = integer(raw, 'head_dim', LIMITS.width, hiddenSize / queryHeads);
  if (headDimension % 2 !== 0) throw new MismatchError(`config.json: head_dim ${headDimension} is odd; rotary position embedding needs an even one.`);
  if (queryHeads % keyValueHeads !== 0) {
    throw new MismatchError(`config.json: num_attention_heads ${queryHeads} is not a multiple of num_key_value_heads ${keyValueHeads}.`);
  }
  const neurons = integer(raw, 'intermediate_size', LIMITS.width);
  const rope = (raw.rope_parameters ?? {}) as Raw;
  const ropeTheta = positive(rope.rope_theta ?? raw.rope_theta ?? defaults.ropeTheta ?? 10_000, 'rope_theta');
  const partial = raw.partial_rotary_factor ?? 1;
  if (partial !== 1) throw new UnsupportedError(`config.json: partial_rotary_factor is ${JSON.stringify(partial)}; only 1 is supported.`);
  const scaling = parseRopeScaling(raw.rope_scaling ?? raw.rope_parameters);
  return {
    architecture: defaults.architecture,
    layers,
    hiddenSize,
    queryHeads,
    keyValueHeads,
    headDimension,
    neurons,
    vocabulary: integer(raw, 'vocab_size', LIMITS.vocabulary),
    ropeTheta,
    ropeInverseFrequencies: inverseFrequencies(headDimension, ropeTheta, scaling),
    normEpsilon: positive(raw.rms_norm_eps ?? 1e-6, 'rms_norm_eps'),
    tiedEmbedding: typeof raw.tie_word_embeddings === 'boolean' ? raw.tie_word_embeddings : (defaults.tiedEmbedding ?? false),
    maximumPositions: integer(raw, 'max_position_embeddings', LIMITS.positions, 2048),
    bosTokenId: tokenIds(raw.bos_token_id)[0],
    eosTokenIds: tokenIds(raw.eos_token_id),
    layerWidths: readWidths(raw, layers, keyValueHeads, neurons),
  };
}

function readWidths(raw: Raw, layers: number, keyValueHeads: number, neurons: number): LayerWidths[] {
  const dense = { keyValueHeads, neurons };
  const espalier = raw.espalier as Raw | undefined;
  if (espalier === undefined || espalier === null) return Array.from({ length: layers }, () => dense);
  const list = espalier.layers;
  if (!Array.isArray(list) || list.length !== layers) {
    throw new MismatchError(
      `config.json: espalier.layers must list the widths of all ${layers} layers; found ${Array.isArray(list) ? list.length : typeof list}.`,
    );
  }
  return list.map((entry: unknown, layer) => {
    const fields = (entry ?? {}) as Raw;
    const check = (key: 'keyValueHeads' | 'neurons', maximum: number) => {
      const value = fields[key];
      if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= maximum) return value;
      throw new MismatchError(`config.json: espalier.layers[${layer}].${key} is ${JSON.stringify(value)}; it must be a whole number from 0 to ${maximum}.`);
    };
    return { keyValueHeads: check('keyValueHeads', keyValueHeads), neurons: check('neurons', neurons) };
  });
}

function integer(raw: Raw, key: string, maximum: number, fallback?: number): number {
  const value = raw[key] ?? fallback;
  if (value === undefined) throw new FileFormatError(`config.json has no ${key}; a model's config must state it.`);
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > maximum) {
    throw new FileFormatError(`config.json: ${key} is ${JSON.stringify(value)}; it must be a whole number from 1 to ${maximum}.`);
  }
  return value;
}

function positive(value: unknown, key: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw new FileFormatError(`config.json: ${key} is ${JSON.stringify(value)}; it must be a positive number.`);
}

function tokenIds(value: unknown): number[] {
  if (value === null || value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).map((id: unknown) => {
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0) return id;
    throw new FileFormatError(`config.json: token id ${JSON.stringify(id)} is not a whole number from 0.`);
  });
}
