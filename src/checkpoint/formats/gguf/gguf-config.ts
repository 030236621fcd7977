import { FileFormatError, UnsupportedError } from '../../../errors.ts';
import type { JsonRecord } from '../../files/json.ts';
import { quote } from '../../weights.ts';
import { checkGgufKeys } from './gguf-keys.ts';
import { type GgufMetadata, shortest } from './gguf-metadata.ts';
import { specialId } from './special-ids.ts';

/** What the config needs to know beyond metadata. */
export interface GgufFacts {
  /** Rows of the embedding. */
  readonly vocabulary: number;
  readonly hasTensor: (stored: string) => boolean;
  /** The tensors of rotary factors, where the file has them. */
  readonly ropeFactors: {
    readonly plain?: Float32Array | undefined;
    readonly long?: Float32Array | undefined;
    readonly short?: Float32Array | undefined;
  };
}

const CLASSES: Readonly<Record<string, { readonly modelType: string; readonly className: string }>> = {
  llama: { modelType: 'llama', className: 'LlamaForCausalLM' },
  qwen2: { modelType: 'qwen2', className: 'Qwen2ForCausalLM' },
  qwen3: { modelType: 'qwen3', className: 'Qwen3ForCausalLM' },
  gemma3: { modelType: 'gemma3_text', className: 'Gemma3ForCausalLM' },
  phi3: { modelType: 'phi3', className: 'Phi3ForCausalLM' },
  // Widths per layer: what a model pruned freely is written as.
  deci: { modelType: 'llama', className: 'LlamaForCausalLM' },
  openelm: { modelType: 'qwen3', className: 'Qwen3ForCausalLM' },
};

/** Architectures that have widths per layer. */
const PER_LAYER: ReadonlySet<string> = new Set(['deci', 'openelm']);

/** `general.architecture`. Throws UnsupportedError for one that has no config here. */
export function ggufArchitecture(metadata: GgufMetadata): string {
  const architecture = metadata.requiredString('general.architecture');
  const kind = metadata.string('general.type') ?? (architecture === 'clip' ? 'mmproj' : 'model');
  if (kind === 'mmproj')
    throw new UnsupportedError(
      `${metadata.file} is the image part of a model, not a language model. Open the GGUF file without "mmproj" in its name.`,
    );
  if (kind === 'adapter')
    throw new UnsupportedError(
      `${metadata.file} is an adapter (LoRA), not a model. Merge it into its model and open the result.`,
    );
  if (Object.hasOwn(CLASSES, architecture)) return architecture;
  throw new UnsupportedError(
    `${metadata.file} is of the architecture ${quote(architecture)}; GGUF files are read for ${Object.keys(CLASSES).join(', ')} (Mistral files say llama). Take a model of one of these.`,
  );
}

/** The config.json of the Hugging Face layout, from a GGUF file's metadata. Throws FileFormatError for sizes that make no sense. */
export function ggufConfig(metadata: GgufMetadata, facts: GgufFacts): JsonRecord {
  const architecture = ggufArchitecture(metadata);
  const { modelType, className } = CLASSES[architecture] as { modelType: string; className: string };
  checkGgufKeys(metadata, architecture);
  const size = (key: string) =>
    positive(metadata, `${architecture}.${key}`, metadata.requiredNumber(`${architecture}.${key}`));
  const optional = (key: string) => metadata.number(`${architecture}.${key}`);
  const hiddenSize = size('embedding_length');
  const widths = PER_LAYER.has(architecture) ? widthsPerLayer(metadata, architecture, size('block_count')) : undefined;
  const queryHeads = widths?.queryHeads ?? size('attention.head_count');
  const headDimension =
    optional('attention.key_length') ??
    (architecture === 'llama' ? optional('rope.dimension_count') : undefined) ??
    hiddenSize / queryHeads;
  positive(metadata, `${architecture}.attention.key_length`, headDimension);
  const valueDimension = optional('attention.value_length') ?? headDimension;
  if (valueDimension !== headDimension)
    throw new UnsupportedError(
      `${metadata.file} has keys of ${headDimension} and values of ${valueDimension} per head; they must be equal. Take another model.`,
    );
  const keyValueHeads = () =>
    optional('attention.head_count_kv') === undefined ? queryHeads : size('attention.head_count_kv');
  return {
    architectures: [className],
    model_type: modelType,
    hidden_size: hiddenSize,
    intermediate_size: widths?.neurons ?? size('feed_forward_length'),
    num_hidden_layers: size('block_count'),
    num_attention_heads: queryHeads,
    num_key_value_heads: widths?.keyValueHeads ?? keyValueHeads(),
    head_dim: headDimension,
    hidden_act: architecture === 'gemma3' ? 'gelu_pytorch_tanh' : 'silu',
    rms_norm_eps: shortest(metadata.requiredNumber(`${architecture}.attention.layer_norm_rms_epsilon`)),
    rope_theta: shortest(optional('rope.freq_base') ?? 10000),
    ...ropeScaling(metadata, architecture, headDimension, facts),
    max_position_embeddings: size('context_length'),
    vocab_size: facts.vocabulary,
    tie_word_embeddings: !facts.hasTensor('output.weight'),
    ...(modelType === 'llama' || modelType === 'qwen3'
      ? { attention_bias: facts.hasTensor('blk.0.attn_q.bias') && facts.hasTensor('blk.0.attn_output.bias') }
      : {}),
    ...(modelType === 'llama'
      ? { mlp_bias: facts.hasTensor('blk.0.ffn_up.bias') && facts.hasTensor('blk.0.ffn_down.bias') }
      : {}),
    ...(architecture === 'gemma3' ? gemma(metadata, headDimension, hiddenSize / queryHeads, size('block_count')) : {}),
    ...rotaryShare(metadata, architecture, headDimension),
    ...(architecture === 'phi3' ? phi(metadata) : {}),
    ...(widths && { espalier: { layers: widths.layers } }),
    ...tokenIds(metadata),
    torch_dtype: 'float32',
  };
}

/**
 * Widths of an architecture that has them per layer; the sizes of the whole model are the largest. Throws UnsupportedError for a layer without attention or without MLP, which is
 * no block of the families that are read, and FileFormatError for lists that do not fit each other.
 */
function widthsPerLayer(metadata: GgufMetadata, architecture: string, count: number) {
  const list = (key: string): number[] => {
    const value = metadata.maybeNumbers(`${architecture}.${key}`) ?? 0;
    const values = typeof value === 'number' ? new Array<number>(Math.min(count, 1024)).fill(value) : value;
    const wrong = values.find((each) => !(Number.isSafeInteger(each) && each >= 0 && each < 2 ** 31));
    if (values.length !== count || wrong !== undefined)
      throw new FileFormatError(
        `${metadata.file}: ${quote(`${architecture}.${key}`)} has ${wrong === undefined ? `${values.length} values` : `the value ${wrong}`}; it has a whole number for each of the ${count} layers.`,
      );
    return values;
  };
  const [query, keyValue, neurons] = [
    list('attention.head_count'),
    list('attention.head_count_kv'),
    list('feed_forward_length'),
  ];
  const layers = query.map((heads, layer) => ({
    heads,
    keyValueHeads: keyValue[layer] ?? 0,
    neurons: neurons[layer] ?? 0,
  }));
  const half = layers.findIndex((each) => (each.heads === 0 || each.keyValueHeads === 0) !== (each.neurons === 0));
  if (half >= 0)
    throw new UnsupportedError(
      `${metadata.file}: layer ${half} has ${query[half] ?? 0} attention heads, ${keyValue[half] ?? 0} of them with keys, and ${neurons[half] ?? 0} neurons; a layer needs both modules or neither. Take another model.`,
    );
  const sizes = { queryHeads: Math.max(...query), keyValueHeads: Math.max(...keyValue), neurons: Math.max(...neurons) };
  const uneven = layers.findIndex((each) => each.heads * sizes.keyValueHeads !== each.keyValueHeads * sizes.queryHeads);
  if (uneven >= 0)
    throw new UnsupportedError(
      `${metadata.file}: layer ${uneven} has ${query[uneven] ?? 0} query heads for ${keyValue[uneven] ?? 0} key/value heads, another share than other layers. Take another model.`,
    );
  return { ...sizes, layers: layers.map((each) => ({ keyValueHeads: each.keyValueHeads, neurons: each.neurons })) };
}

function positive(metadata: GgufMetadata, key: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0 && value < 2 ** 31) return value;
  throw new FileFormatError(
    `${metadata.file}: ${quote(key)} is ${value}; it is a positive whole number. Take another GGUF file of the model.`,
  );
}

function tokenIds(metadata: GgufMetadata): JsonRecord {
  const id = (key: string) => specialId(metadata, key);
  return Object.fromEntries(
    [
      ['bos_token_id', id('bos')],
      ['eos_token_id', id('eos')],
      ['pad_token_id', id('padding')],
    ].filter(([, value]) => value !== undefined),
  );
}

function ropeScaling(
  metadata: GgufMetadata,
  architecture: string,
  headDimension: number,
  { ropeFactors }: GgufFacts,
): JsonRecord {
  const original = metadata.number(`${architecture}.rope.scaling.original_context_length`);
  if (ropeFactors.long && ropeFactors.short) {
    const list = (factors: Float32Array) => Array.from(factors, shortest);
    return {
      rope_scaling: {
        type: 'longrope',
        long_factor: list(ropeFactors.long),
        short_factor: list(ropeFactors.short),
        ...shortestEntry(metadata, `${architecture}.rope.scaling.attn_factor`, 'attention_factor'),
      },
      ...(original === undefined ? {} : { original_max_position_embeddings: original }),
    };
  }
  // As llama.cpp reads them: a factor without its kind is a linear one, and none has no effect.
  const stated = metadata.number(`${architecture}.rope.scaling.factor`) ?? 0;
  const kind = metadata.string(`${architecture}.rope.scaling.type`) ?? (stated === 0 ? 'none' : 'linear');
  if (ropeFactors.plain?.some((each) => each !== 1)) {
    if (kind !== 'none' && stated !== 0 && stated !== 1)
      throw new UnsupportedError(
        `${metadata.file} has rope factors and the rope scaling ${quote(kind)} by ${stated}; both at once are not computed. Take the model's safetensors.`,
      );
    return { rope_scaling: llama3Scaling(metadata, architecture, headDimension, ropeFactors.plain) };
  }
  if (kind === 'none') return {};
  const factor = metadata.requiredNumber(`${architecture}.rope.scaling.factor`);
  if (kind === 'linear' || kind === 'yarn') {
    return {
      rope_scaling: {
        rope_type: kind,
        factor: shortest(factor),
        ...(original === undefined ? {} : { original_max_position_embeddings: original }),
        ...(kind === 'yarn' && {
          ...shortestEntry(metadata, `${architecture}.rope.scaling.yarn_beta_fast`, 'beta_fast'),
          ...shortestEntry(metadata, `${architecture}.rope.scaling.yarn_beta_slow`, 'beta_slow'),
        }),
      },
    };
  }
  throw new UnsupportedError(
    `${metadata.file} has the rope scaling ${quote(kind)}; supported are none, linear, yarn, llama3 and longrope. Choose a model with one of these.`,
  );
}

/** A number of the metadata under config.json's name; nothing where the file has none. */
function shortestEntry(metadata: GgufMetadata, entry: string, key: string): JsonRecord {
  const value = metadata.number(entry);
  return value === undefined ? {} : { [key]: shortest(value) };
}

/**
 * LLaMA 3.1 and later store one factor per frequency instead of the rule that made them. All released models use the rule with the same wavelengths
 * (8,192 positions, low 1, high 4) and differ in the largest factor; the rule is put back, and the stored factors must follow from it.
 */
function llama3Scaling(
  metadata: GgufMetadata,
  architecture: string,
  headDimension: number,
  factors: Float32Array,
): JsonRecord {
  const factor = factors.reduce((largest, each) => Math.max(largest, each), 0);
  const theta = metadata.number(`${architecture}.rope.freq_base`) ?? 10000;
  const positions = 8192;
  // As many as are stored, not as the metadata claim: that may be any number.
  const expected = Array.from(factors, (_, i) => {
    const wavelength = 2 * Math.PI * theta ** ((2 * i) / headDimension);
    if (wavelength < positions / 4) return 1;
    if (wavelength > positions) return factor;
    const smooth = (positions / wavelength - 1) / (4 - 1);
    return 1 / ((1 - smooth) / factor + smooth);
  });
  if (
    factors.length !== headDimension / 2 ||
    expected.some((each, i) => Math.abs(each - (factors[i] ?? 0)) > 1e-3 * each)
  ) {
    throw new UnsupportedError(
      `${metadata.file} has rope factors that do not follow LLaMA 3's rule. Take the model's safetensors.`,
    );
  }
  return {
    rope_type: 'llama3',
    factor: shortest(factor),
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: positions,
  };
}

/**
 * What Gemma 3's GGUF files leave to the reader: every sixth layer is global, local ones rotate with base 10,000, and 27B (62 layers) scales otherwise.
 * Newer files list the local layers.
 */
function gemma(metadata: GgufMetadata, headDimension: number, hiddenPerHead: number, layers: number): JsonRecord {
  const listed = metadata.has(PATTERN) ? metadata.maybeNumbers(PATTERN) : undefined;
  const isLocal = (i: number) => (Array.isArray(listed) ? listed[i] !== 0 : (i + 1) % (listed ?? 6) !== 0);
  return {
    hidden_activation: 'gelu_pytorch_tanh',
    query_pre_attn_scalar: layers === 62 ? hiddenPerHead : headDimension,
    sliding_window: metadata.requiredNumber('gemma3.attention.sliding_window'),
    layer_types: Array.from({ length: Math.min(layers, 1024) }, (_, i) =>
      isLocal(i) ? 'sliding_attention' : 'full_attention',
    ),
    rope_local_base_freq: shortest(metadata.number('gemma3.rope.freq_base_swa') ?? 10000),
    attention_bias: false,
  };
}
const PATTERN = 'gemma3.attention.sliding_window_pattern';

function phi(metadata: GgufMetadata): JsonRecord {
  const window = metadata.number('phi3.attention.sliding_window');
  return { sliding_window: window === undefined || window === 0 ? null : window };
}

/** The share of a head's channels that are turned. Throws UnsupportedError for LLaMA, whose heads are stored in another order. */
function rotaryShare(metadata: GgufMetadata, architecture: string, headDimension: number): JsonRecord {
  const rotary = metadata.number(`${architecture}.rope.dimension_count`) ?? headDimension;
  if (rotary === headDimension) return {};
  if (architecture === 'llama')
    throw new UnsupportedError(
      `${metadata.file} turns ${rotary} of the ${headDimension} channels of a head, which is not read for llama. Take the model's safetensors.`,
    );
  return { partial_rotary_factor: rotary / headDimension };
}
