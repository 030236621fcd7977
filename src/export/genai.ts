import type { ModelConfig } from '../architecture/architecture.ts';
import type { Dimension, Graph, ValueInfo } from '../onnx/graph.ts';

/** The decoder's graph for ONNX Runtime GenAI, beside the one for others: both read the same weights. */
export const GENAI_FILE = 'onnx/genai.onnx';

/** The input that ONNX Runtime GenAI does not know. */
const KEPT_LOGITS = 'num_logits_to_keep';

/** Keys and values of a layer, or a state of one. */
const CACHE = /^((?:past_key_values|(?:past|present)_(?:conv|recurrent)|present)\.)(\d+)((?:\.(?:key|value))?)$/;

/** Why there are no files for ONNX Runtime GenAI beside a decoder; undefined where there are. Beside states of layers it takes keys of one width alone. */
export function genaiRefusal({ inputs }: Graph): string | undefined {
  const widths = keyWidths(inputs);
  if (!inputs.some(({ name }) => STATE.test(name)) || widths.length === 1) return undefined;
  return `No files for ONNX Runtime GenAI are written: beside states of other layers it takes as many key/value heads in each layer that attends, and here they are ${widths.join(' and ')}.`;
}

const STATE = /^past_(conv|recurrent)\./;

/** Key/value heads of the layers that attend, each number once. */
function keyWidths(inputs: Graph['inputs']): Dimension[] {
  return [...new Set(inputs.flatMap(({ name, shape }) => (name.endsWith('.key') ? [shape[1] ?? 0] : [])))];
}

/** The decoder as ONNX Runtime GenAI takes it: it gives the logits of all positions, of which the last are picked there, and caches are numbered without gaps where layers were removed. */
export function genaiGraph(graph: Graph): Graph {
  const layers = cacheLayers(graph);
  const renamed = (name: string) => {
    const match = CACHE.exec(name);
    return match ? `${match[1]}${layers.indexOf(Number(match[2]))}${match[3]}` : name;
  };
  const info = (value: ValueInfo) => ({ ...value, name: renamed(value.name) });
  const all = { kind: 'bytes' as const, bytes: new Uint8Array(8) };
  return {
    ...graph,
    inputs: graph.inputs.filter(({ name }) => name !== KEPT_LOGITS).map(info),
    outputs: graph.outputs.map(info),
    nodes: graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(renamed),
      outputs: node.outputs.map(renamed),
    })),
    initializers: new Map([...graph.initializers, [KEPT_LOGITS, { dataType: 'int64', shape: [], contents: all }]]),
  };
}

/** The layers that have a cache, ascending. */
function cacheLayers({ inputs }: Graph): number[] {
  const found = new Set(inputs.flatMap(({ name }) => CACHE.exec(name)?.[2] ?? []).map(Number));
  return [...found].sort((a, b) => a - b);
}

/** What each layer that has a cache keeps, as GenAI calls it. */
function layerKinds(graph: Graph): string[] {
  const names = new Set(graph.inputs.map(({ name }) => name));
  return cacheLayers(graph).map((layer) =>
    names.has(`past_recurrent.${layer}`)
      ? 'linear_attention'
      : names.has(`past_conv.${layer}`)
        ? 'conv'
        : 'full_attention',
  );
}

/**
 * genai_config.json (onnxruntime-genai 0.18, docs of its config reference): names and sizes of the decoder, greedy search by default. Sizes are those of the dense model; the shapes of
 * each layer's cache are read from the graph, but for the number of key/value heads beside states.
 */
export function genaiConfig(config: ModelConfig, positions: number, graph: Graph): Record<string, unknown> {
  const [firstEnd = 0] = config.eosTokenIds;
  const states = (['conv', 'recurrent'] as const).filter((state) =>
    graph.inputs.some(({ name }) => name.startsWith(`past_${state}.`)),
  );
  const namesOf = (time: 'past' | 'present') =>
    Object.fromEntries(states.map((state) => [`${time}_${state}_names`, `${time}_${state}.%d`]));
  const [keyValueHeads = config.keyValueHeads] = states.length > 0 ? keyWidths(graph.inputs) : [];
  const ends = config.eosTokenIds.length > 1 ? config.eosTokenIds : firstEnd;
  return {
    model: {
      type: GENAI_TYPES[config.architecture] ?? 'llama',
      bos_token_id: config.bosTokenId ?? firstEnd,
      eos_token_id: ends,
      pad_token_id: firstEnd,
      context_length: positions,
      vocab_size: config.vocabulary,
      decoder: {
        session_options: { log_id: 'onnxruntime-genai', provider_options: [] },
        filename: GENAI_FILE,
        head_size: config.headDimension,
        hidden_size: config.hiddenSize,
        num_attention_heads: config.queryHeads,
        num_key_value_heads: keyValueHeads,
        num_hidden_layers: cacheLayers(graph).length,
        ...(states.length > 0 && { layer_types: layerKinds(graph) }),
        inputs: {
          input_ids: 'input_ids',
          attention_mask: 'attention_mask',
          past_key_names: 'past_key_values.%d.key',
          past_value_names: 'past_key_values.%d.value',
          ...namesOf('past'),
        },
        outputs: {
          logits: 'logits',
          present_key_names: 'present.%d.key',
          present_value_names: 'present.%d.value',
          ...namesOf('present'),
        },
      },
    },
    search: {
      do_sample: false,
      max_length: positions,
      past_present_share_buffer: false,
      num_return_sequences: 1,
    },
  };
}

/** `model.type` of ONNX Runtime GenAI by our family names. */
const GENAI_TYPES: Readonly<Record<string, string>> = {
  llama: 'llama',
  mistral: 'mistral',
  qwen2: 'qwen2',
  qwen3: 'qwen3',
  gemma3_text: 'gemma3_text',
  phi3: 'phi3',
  qwen3_5_text: 'qwen3',
  lfm2: 'lfm2',
  lfm2_moe: 'lfm2',
};
