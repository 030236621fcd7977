import type { Dimension } from '../onnx/graph.ts';
import type { LayerKind, LayerWidths, Mixer, ModelConfig, RecurrenceSizes, WeightBinding } from './architecture.ts';

/** Weights that a block may have, as inputs of its program, with their shapes; symbolic sizes are a layer's widths. */
const SHAPES = {
  'attention.norm': ['hiddenSize'],
  'attention.norm.bias': ['hiddenSize'],
  'attention.query': ['queryChannels', 'hiddenSize'],
  'attention.query.bias': ['queryChannels'],
  'attention.query.norm': ['headDimension'],
  'attention.query.joint.norm': ['queryChannels'],
  'attention.key': ['keyChannels', 'hiddenSize'],
  'attention.key.bias': ['keyChannels'],
  'attention.key.norm': ['headDimension'],
  'attention.key.joint.norm': ['keyChannels'],
  'attention.value': ['keyChannels', 'hiddenSize'],
  'attention.value.bias': ['keyChannels'],
  'attention.gate': ['queryChannels', 'hiddenSize'],
  'attention.gate.bias': ['queryChannels'],
  'attention.sinks': ['queryHeads'],
  'attention.output': ['hiddenSize', 'queryChannels'],
  'attention.output.bias': ['hiddenSize'],
  'attention.output.norm': ['hiddenSize'],
  'convolution.norm': ['hiddenSize'],
  'convolution.inputGate': ['channels', 'hiddenSize'],
  'convolution.inputGate.bias': ['channels'],
  'convolution.outputGate': ['channels', 'hiddenSize'],
  'convolution.outputGate.bias': ['channels'],
  'convolution.value': ['channels', 'hiddenSize'],
  'convolution.value.bias': ['channels'],
  'convolution.kernel': ['channels', 'one', 'kernel'],
  'convolution.kernel.bias': ['channels'],
  'convolution.output': ['hiddenSize', 'channels'],
  'convolution.output.bias': ['hiddenSize'],
  'recurrence.norm': ['hiddenSize'],
  'recurrence.input': ['mixedChannels', 'hiddenSize'],
  'recurrence.kernel': ['mixedChannels', 'one', 'recurrenceKernel'],
  'recurrence.gate': ['valueChannels', 'hiddenSize'],
  'recurrence.write': ['valueHeads', 'hiddenSize'],
  'recurrence.decay': ['valueHeads', 'hiddenSize'],
  'recurrence.decay.bias': ['valueHeads'],
  'recurrence.rate': ['valueHeads'],
  'recurrence.scale': ['valueDimension'],
  'recurrence.output': ['hiddenSize', 'valueChannels'],
  'mlp.norm': ['hiddenSize'],
  'mlp.norm.bias': ['hiddenSize'],
  'mlp.router': ['experts', 'hiddenSize'],
  'mlp.router.bias': ['experts'],
  'mlp.selection': ['experts'],
  'mlp.expertBias': ['experts', 'hiddenSize'],
  'mlp.assignment': ['neurons', 'experts'],
  'mlp.gate': ['neurons', 'hiddenSize'],
  'mlp.gate.bias': ['neurons'],
  'mlp.up': ['neurons', 'hiddenSize'],
  'mlp.up.bias': ['neurons'],
  'mlp.down': ['hiddenSize', 'neurons'],
  'mlp.down.bias': ['hiddenSize'],
  'mlp.down.norm': ['hiddenSize'],
} as const;

export type BlockWeight = keyof typeof SHAPES;

/**
 * The weights that an architecture's blocks have: program input to checkpoint tensor below `model.layers.N.`. What is not listed is not
 * computed. Inputs that name the same tensor are fused in it, one after the other in the order of SHAPES (query, key, value; the gates and the value of a convolution; gate, up).
 */
export type BlockTensors = Readonly<Partial<Record<BlockWeight, string>>>;

/** The weights that every block has under LLaMA's names. The two biases are compensation's where the architecture has none. */
export const LLAMA_TENSORS = {
  'attention.norm': 'input_layernorm.weight',
  'attention.query': 'self_attn.q_proj.weight',
  'attention.key': 'self_attn.k_proj.weight',
  'attention.value': 'self_attn.v_proj.weight',
  'attention.output': 'self_attn.o_proj.weight',
  'attention.output.bias': 'self_attn.o_proj.bias',
  'mlp.norm': 'post_attention_layernorm.weight',
  'mlp.gate': 'mlp.gate_proj.weight',
  'mlp.up': 'mlp.up_proj.weight',
  'mlp.down': 'mlp.down_proj.weight',
  'mlp.down.bias': 'mlp.down_proj.bias',
} as const satisfies BlockTensors;

export const QUERY_KEY_NORMS = {
  'attention.query.norm': 'self_attn.q_norm.weight',
  'attention.key.norm': 'self_attn.k_norm.weight',
} as const satisfies BlockTensors;

/** The bias of a projection. */
export const biasOf = <
  Weight extends
    | 'attention.query'
    | 'attention.key'
    | 'attention.value'
    | 'attention.gate'
    | 'attention.output'
    | 'convolution.inputGate'
    | 'convolution.outputGate'
    | 'convolution.value'
    | 'mlp.gate'
    | 'mlp.up'
    | 'mlp.down',
>(
  weight: Weight,
) => `${weight}.bias` as const;

const MIXERS: readonly Mixer[] = ['attention', 'convolution', 'recurrence'];

/** What a block mixes tokens by, by the weights that it has. */
export const mixerIn = (tensors: BlockTensors): Mixer =>
  MIXERS.find((mixer) => tensors[`${mixer}.output`] !== undefined) ?? 'attention';

/** What layers of a kind mix tokens by. */
export const mixerOf = (kind: LayerKind): Mixer => MIXERS.find((mixer) => kind.startsWith(mixer)) ?? 'attention';

/** Whether a weight may lose rows or columns: those of a recurrence stay as they are, and the table of experts is made anew. */
export const isPrunable = (input: string): boolean => input !== ASSIGNMENT && !input.startsWith('recurrence.');

/** The table of which neuron belongs to which expert, which is made for the widths of a layer. */
export const ASSIGNMENT = 'mlp.assignment';

/** Weights with a row or a number for each expert. */
export const ROUTER: readonly string[] = ['mlp.router', 'mlp.router.bias', 'mlp.selection', 'mlp.expertBias'];

/** Small weights that decide much, which stay in the type of activations where others are rounded to blocks. */
export const EXACT: readonly string[] = [...ROUTER, 'recurrence.write', 'recurrence.decay'];

/** Inputs of a block program in order, with their shapes; `queryChannels`, `keyChannels`, `channels`, `neurons` and `experts` are symbolic. */
export function blockInputs(
  config: ModelConfig,
  tensors: BlockTensors,
): ReadonlyMap<BlockWeight, readonly Dimension[]> {
  const present = (Object.keys(SHAPES) as BlockWeight[]).filter((weight) => tensors[weight] !== undefined);
  const sizes: Readonly<Record<string, number>> = {
    hiddenSize: config.hiddenSize,
    headDimension: config.headDimension,
    one: 1,
    kernel: config.convolution?.kernel ?? 0,
    ...(config.recurrence && recurrenceSizes(config.recurrence)),
  };
  return new Map(present.map((weight) => [weight, SHAPES[weight].map((size) => sizes[size] ?? size)]));
}

/** Numbers of queries, keys and values together, which go through one convolution. */
export function mixedChannels({ keyHeads, valueHeads, keyDimension, valueDimension }: RecurrenceSizes): number {
  return 2 * keyHeads * keyDimension + valueHeads * valueDimension;
}

function recurrenceSizes(sizes: RecurrenceSizes): Readonly<Record<string, number>> {
  const { valueHeads, valueDimension, kernel } = sizes;
  return {
    valueHeads,
    valueDimension,
    valueChannels: valueHeads * valueDimension,
    mixedChannels: mixedChannels(sizes),
    recurrenceKernel: kernel,
  };
}

/** What the bindings of a block depend on beside its tensors' names. */
export interface BindingOptions {
  /** Biases that the checkpoint must have; absent others are zero, as those are that compensation may add. */
  readonly required?: readonly BlockWeight[];
  /** Added to the weights of all norms. */
  readonly normOffset?: number;
}

/** The weights of one layer at its own widths. */
export function blockBindings(
  config: ModelConfig,
  tensors: BlockTensors,
  layer: number,
  options: BindingOptions = {},
): WeightBinding[] {
  const widths: LayerWidths = config.layerWidths[layer] ?? config;
  const sizes = widthBindings(config, widths);
  const bindings = [...blockInputs(config, tensors)].map(([input, shape]): WeightBinding => {
    if (input === ASSIGNMENT)
      return {
        input,
        tensor: `model.layers.${layer}.${tensors[input]}`,
        shape: [widths.neurons, sizes.experts ?? 0],
        assignment: widths.experts ?? [],
      };
    const optional = input.endsWith('.bias') && !options.required?.includes(input);
    return {
      input,
      tensor: `model.layers.${layer}.${tensors[input]}`,
      shape: shape.map((size) => (typeof size === 'number' ? size : (sizes[size] ?? 0))),
      ...(optional && { optional }),
      ...(input.endsWith('norm') && options.normOffset && { offset: options.normOffset }),
    };
  });
  return bindings.map((binding) => inFusedTensor(binding, bindings));
}

/** The symbolic sizes of a block program at the widths of a layer. */
export function widthBindings(config: ModelConfig, widths: LayerWidths): Readonly<Record<string, number>> {
  const keyChannels = widths.keyValueHeads * config.headDimension;
  return {
    keyChannels,
    queryChannels: keyChannels * (config.queryHeads / config.keyValueHeads),
    queryHeads: widths.keyValueHeads * (config.queryHeads / config.keyValueHeads),
    channels: widths.channels ?? 0,
    experts: widths.experts?.length ?? 0,
    neurons: widths.neurons,
  };
}

/** The widths that the layers of a model had before it was pruned. */
export function denseWidths({ layerWidths, keyValueHeads, neurons, convolution, mixture }: ModelConfig): LayerWidths[] {
  return layerWidths.map((widths): LayerWidths => {
    const hasExperts = widths.experts !== undefined && mixture;
    return {
      ...(widths.recurrent !== undefined
        ? { keyValueHeads: 0, recurrent: true }
        : widths.channels !== undefined && convolution
          ? { keyValueHeads: 0, channels: convolution.channels }
          : { keyValueHeads }),
      neurons: hasExperts ? mixture.count * mixture.neurons : neurons,
      ...(hasExperts && { experts: Array<number>(mixture.count).fill(mixture.neurons) }),
    };
  });
}

/** Whether nothing of a layer is left: it passes its input on. */
export function isRemovedLayer({ keyValueHeads, neurons, channels = 0, recurrent = false }: LayerWidths): boolean {
  return keyValueHeads === 0 && neurons === 0 && channels === 0 && !recurrent;
}

/** Adds the rows that a weight takes in a tensor that several share. */
function inFusedTensor(binding: WeightBinding, all: readonly WeightBinding[]): WeightBinding {
  const parts = all.filter(({ tensor }) => tensor === binding.tensor);
  if (parts.length === 1) return binding;
  const rows = (part: WeightBinding) => part.shape[0] ?? 0;
  const start = parts.slice(0, parts.indexOf(binding)).reduce((sum, part) => sum + rows(part), 0);
  return {
    ...binding,
    rows: { start, end: start + rows(binding), of: parts.reduce((sum, part) => sum + rows(part), 0) },
  };
}
