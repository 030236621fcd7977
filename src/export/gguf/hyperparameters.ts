import type { LayerPositions } from '../../architecture/architecture.ts';
import type { Model } from '../../architecture/model.ts';
import { UnsupportedError } from '../../errors.ts';
import type { GgufEntry } from './file.ts';
import type { GgufHome } from './home.ts';

/** What llama.cpp is told of a model beside its tensors. */
export interface GgufHyperparameters {
  readonly metadata: readonly GgufEntry[];
  /** Factors that llama.cpp divides rotary frequencies by, [rotaryDimension / 2], by the tensors' names. */
  readonly factors: ReadonlyMap<string, Float32Array>;
}

/**
 * Sizes and positions under llama.cpp's keys. Widths are one number each where all layers agree, else an array with one for every layer.
 * Throws UnsupportedError for positions or scales that the architecture does not compute.
 */
export function ggufHyperparameters(model: Model, home: GgufHome): GgufHyperparameters {
  const { config } = model.architecture;
  const { architecture, widths, uniform } = home;
  checkDesign(model, home);
  checkLocalBase(model);
  const key = (name: string) => `${architecture}.${name}`;
  const whole = (name: string, value: number): GgufEntry => ({ key: key(name), kind: 'uint32', value });
  const real = (name: string, value: number): GgufEntry => ({ key: key(name), kind: 'float32', value });
  const perLayer = (name: string, of: (width: (typeof widths)[number]) => number): GgufEntry =>
    uniform ? whole(name, of(uniform)) : { key: key(name), kind: 'int32[]', value: widths.map(of) };
  const perGroup = config.queryHeads / config.keyValueHeads;
  const positions = globalPositions(model);
  const rotation = rotationEntries(positions, config.ropeTheta, architecture);
  const windows = widths.flatMap((_, layer) => model.architecture.positions(layer).window ?? []);
  const window = windows.length > 0 ? Math.min(...windows) : undefined;
  const knowsWindows = architecture === 'gemma3' || architecture === 'phi3';
  // Without windows of its own the architecture computes the same as long as the context is no longer than one.
  const context = knowsWindows ? config.maximumPositions : Math.min(config.maximumPositions, window ?? Infinity);
  return {
    metadata: [
      whole('context_length', context),
      whole('embedding_length', config.hiddenSize),
      whole('block_count', widths.length),
      perLayer('feed_forward_length', ({ neurons }) => neurons),
      perLayer('attention.head_count', ({ keyValueHeads }) => keyValueHeads * perGroup),
      perLayer('attention.head_count_kv', ({ keyValueHeads }) => keyValueHeads),
      whole('attention.key_length', config.headDimension),
      whole('attention.value_length', config.headDimension),
      real('attention.layer_norm_rms_epsilon', config.normEpsilon),
      whole('rope.dimension_count', 2 * positions.inverseFrequencies.length),
      real('rope.freq_base', config.ropeTheta),
      whole('vocab_size', config.vocabulary),
      ...(knowsWindows ? [whole('attention.sliding_window', window ?? 0)] : []),
      ...(positions.magnitude === 1 ? [] : [real('rope.scaling.attn_factor', positions.magnitude)]),
      ...(architecture === 'phi3' ? [whole('rope.scaling.original_context_length', config.maximumPositions)] : []),
      ...rotation.metadata.map(({ name, value }) =>
        typeof value === 'string' ? { key: key(name), kind: 'string' as const, value } : real(name, value),
      ),
    ],
    factors: rotation.factors,
  };
}

/** The rotation of the layers that see everything, as the whole model's are told; of no layer where all look through a window. */
function globalPositions({ architecture }: Model): Pick<LayerPositions, 'inverseFrequencies' | 'magnitude'> {
  const all = architecture.config.layerWidths.map((_, layer) => architecture.positions(layer));
  const wholly =
    all.find(({ window }) => window === undefined) ?? all.find(() => !isGemma(architecture.config.architecture));
  return wholly ?? { inverseFrequencies: architecture.config.ropeInverseFrequencies, magnitude: 1 };
}

const isGemma = (architecture: string) => architecture.startsWith('gemma3');

/** Base of the rotary embedding of Gemma's sliding layers, a constant of llama.cpp. */
const LOCAL_BASE = 10_000;

/** Throws UnsupportedError for Gemma layers with a window that turn otherwise. */
function checkLocalBase({ architecture }: Model): void {
  if (!isGemma(architecture.config.architecture)) return;
  for (const layer of architecture.config.layerWidths.keys()) {
    const { window, inverseFrequencies } = architecture.positions(layer);
    const dimension = 2 * inverseFrequencies.length;
    const wrong = inverseFrequencies.find(
      (frequency, i) => Math.abs(frequency * LOCAL_BASE ** ((2 * i) / dimension) - 1) > 1e-5,
    );
    if (window !== undefined && wrong !== undefined)
      throw new UnsupportedError(
        `Layer ${layer} looks through a window and turns positions with another base than ${LOCAL_BASE}, which llama.cpp takes for Gemma 3. Take the model away as ONNX or safetensors.`,
      );
  }
}

/** Frequencies that follow from the base alone need nothing more; those that are all slower by one factor are linear scaling; others are stored as factors. */
function rotationEntries(
  { inverseFrequencies, magnitude }: Pick<LayerPositions, 'inverseFrequencies' | 'magnitude'>,
  theta: number,
  architecture: GgufHome['architecture'],
) {
  const dimension = 2 * inverseFrequencies.length;
  const factors = Float32Array.from(inverseFrequencies, (frequency, i) => theta ** ((-2 * i) / dimension) / frequency);
  const first = factors[0] ?? 1;
  const isConstant = factors.every((factor) => Math.abs(factor / first - 1) < 1e-5);
  const none = new Map<string, Float32Array>();
  if (isConstant && magnitude === 1) {
    const metadata = [
      { name: 'rope.scaling.type', value: 'linear' },
      { name: 'rope.scaling.factor', value: first },
    ];
    return { metadata: Math.abs(first - 1) < 1e-5 ? [] : metadata, factors: none };
  }
  if (architecture === 'phi3')
    return {
      metadata: [],
      // Only sequences up to the original length are claimed, for which llama.cpp takes the short factors.
      factors: new Map([
        ['rope_factors_long.weight', factors],
        ['rope_factors_short.weight', factors],
      ]),
    };
  if ((architecture === 'llama' || architecture === 'deci') && magnitude === 1)
    return { metadata: [], factors: new Map([['rope_freqs.weight', factors]]) };
  throw new UnsupportedError(
    `The rope scaling of this model is not written to GGUF files of the architecture ${architecture}; none, linear and (for LLaMA) llama3 are. Take the model away as ONNX or safetensors.`,
  );
}

/** Scales are constants of llama.cpp's architectures, not settings. */
function checkDesign({ architecture: { config, design } }: Model, { architecture }: GgufHome): void {
  const expected = {
    'activation of the gate': [design.activation, isGemma(architecture) ? 'gelu-tanh' : 'silu'],
    'scale of the embedding': [design.embeddingScale, isGemma(architecture) ? Math.sqrt(config.hiddenSize) : 1],
    'scale of attention': [design.attentionScale, config.headDimension ** -0.5],
  };
  for (const [what, [found, wanted]] of Object.entries(expected))
    if (found !== wanted && !(typeof found === 'number' && Math.abs(found / Number(wanted) - 1) < 1e-6))
      throw new UnsupportedError(
        `The ${what} is ${found}, and llama.cpp computes ${wanted} for ${architecture}. Take the model away as ONNX or safetensors.`,
      );
}
