import type { ModelConfig } from '../architecture/architecture.ts';
import type { Graph, ValueInfo } from '../onnx/graph.ts';

/** The decoder's graph for ONNX Runtime GenAI, beside the one for others: both read the same weights. */
export const GENAI_FILE = 'onnx/genai.onnx';

/** The input that ONNX Runtime GenAI does not know. */
const KEPT_LOGITS = 'num_logits_to_keep';

const CACHE = /^(past_key_values|present)\.(\d+)\.(key|value)$/;

/** Why there are no files for ONNX Runtime GenAI beside a decoder; undefined where there are. */
export function genaiRefusal({ inputs }: Graph): string | undefined {
  const state = inputs.find(({ name }) => /^past_(?!key_values)/.test(name));
  return state && `No files for ONNX Runtime GenAI are written: it has no place for the cache ${state.name}.`;
}

/** The decoder as ONNX Runtime GenAI takes it: it gives the logits of all positions, of which the last are picked there, and caches are numbered without gaps where layers were removed. */
export function genaiGraph(graph: Graph): Graph {
  const layers = cacheLayers(graph);
  const renamed = (name: string) => {
    const match = CACHE.exec(name);
    return match ? `${match[1]}.${layers.indexOf(Number(match[2]))}.${match[3]}` : name;
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

/**
 * genai_config.json (onnxruntime-genai 0.18, docs of its config reference): names and sizes of the decoder, greedy search by default. Sizes are those of the dense model; the shapes of
 * each layer's cache are read from the graph.
 */
export function genaiConfig(config: ModelConfig, positions: number): Record<string, unknown> {
  const [firstEnd = 0] = config.eosTokenIds;
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
        num_key_value_heads: config.keyValueHeads,
        num_hidden_layers: config.layerWidths.filter(({ keyValueHeads }) => keyValueHeads > 0).length,
        inputs: {
          input_ids: 'input_ids',
          attention_mask: 'attention_mask',
          past_key_names: 'past_key_values.%d.key',
          past_value_names: 'past_key_values.%d.value',
        },
        outputs: {
          logits: 'logits',
          present_key_names: 'present.%d.key',
          present_value_names: 'present.%d.value',
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
};
