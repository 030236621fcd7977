import type { Model } from '../../architecture/model.ts';
import { UnsupportedError } from '../../errors.ts';
import type { ModelShape } from './shape.ts';
import type { SafetensorsType } from './weights.ts';

/** The Python file that loads models whose layers differ. */
export const MODELING_FILE = 'modeling_espalier.py';

/** transformers' classes: of the language model, and the module that it stands in. */
const CLASSES: Readonly<Record<string, { readonly className: string; readonly module: string }>> = {
  llama: { className: 'LlamaForCausalLM', module: 'llama.modeling_llama' },
  mistral: { className: 'MistralForCausalLM', module: 'mistral.modeling_mistral' },
  qwen2: { className: 'Qwen2ForCausalLM', module: 'qwen2.modeling_qwen2' },
  qwen3: { className: 'Qwen3ForCausalLM', module: 'qwen3.modeling_qwen3' },
  gemma3_text: { className: 'Gemma3ForCausalLM', module: 'gemma3.modeling_gemma3' },
  phi3: { className: 'Phi3ForCausalLM', module: 'phi3.modeling_phi3' },
};

function classOf({ architecture }: Model) {
  const family = architecture.config.architecture;
  const found = CLASSES[family];
  if (!found)
    throw new UnsupportedError(
      `safetensors for transformers are written for ${Object.keys(CLASSES).join(', ')}, and this model is ${family}. Take it away as ONNX.`,
    );
  return found;
}

/**
 * config.json for transformers. A plain shape is the family's own class with other sizes; where layers differ, `per_layer_config` has them, and `auto_map` names the class of
 * `modeling_espalier.py` that reads it. Throws UnsupportedError for a family without a class.
 */
export function safetensorsConfig(model: Model, shape: ModelShape, type: SafetensorsType): Record<string, unknown> {
  const { checkpoint, architecture } = model;
  const { config } = architecture;
  const { className } = classOf(model);
  const { quantization_config: _, torch_dtype: __, auto_map: ___, ...kept } = checkpoint.config;
  const perGroup = config.queryHeads / config.keyValueHeads;
  const sizes = shape.uniform ?? { keyValueHeads: config.keyValueHeads, neurons: config.neurons };
  return {
    ...kept,
    architectures: [shape.isPlain ? className : `Espalier${className}`],
    model_type: config.architecture,
    num_attention_heads: sizes.keyValueHeads * perGroup,
    num_key_value_heads: sizes.keyValueHeads,
    head_dim: config.headDimension,
    intermediate_size: sizes.neurons,
    vocab_size: config.vocabulary,
    tie_word_embeddings: config.tiedEmbedding,
    dtype: type,
    ...(shape.isPlain && shape.hasAddedBiases ? { attention_bias: true, mlp_bias: true } : {}),
    espalier: { layers: shape.widths.map(({ keyValueHeads, neurons }) => ({ keyValueHeads, neurons })) },
    ...(shape.isPlain
      ? {}
      : {
          auto_map: { AutoModelForCausalLM: `${MODELING_FILE.replace('.py', '')}.Espalier${className}` },
          // transformers 5 knows the key, in this form; its models do not build such layers by themselves.
          per_layer_config: Object.fromEntries(
            shape.widths.map(({ keyValueHeads, neurons }, layer) => [
              String(layer),
              {
                num_attention_heads: keyValueHeads * perGroup,
                num_key_value_heads: keyValueHeads,
                intermediate_size: neurons,
              },
            ]),
          ),
          // Its configs check sizes of the whole model, which stand above.
          allow_global_per_layer_attribute_access: true,
          output_projection_biases: shape.hasAddedBiases,
        }),
  };
}

/** `modeling_espalier.py` for the family of the model: its own class with layers of their own widths. */
export function modelingFile(model: Model): string {
  const { className, module } = classOf(model);
  return `"""${className} with layers of different widths, as Espalier prunes it. Load it with
AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True): config.json names the class below under "auto_map" and has
the sizes of every layer under "per_layer_config"."""
import copy

from torch import nn
from transformers.models.${module} import ${className}


def layer_configs(config):
    """The config as each layer sees it. transformers 5 resolves "per_layer_config" itself, older versions keep the dictionary."""
    if getattr(config, "is_heterogeneous", False):
        return list(config.per_layer_config)
    if not isinstance(config.per_layer_config, dict):
        return [config] * config.num_hidden_layers
    configs = []
    for layer in range(config.num_hidden_layers):
        configs.append(copy.copy(config))
        for name, value in config.per_layer_config.get(str(layer), {}).items():
            setattr(configs[-1], name, value)
    return configs


class Espalier${className}(${className}):
    def __init__(self, config):
        # The layers that are made first, of one size, are replaced below.
        super().__init__(config)
        layer_class = type(self.model.layers[0])
        for index, own in enumerate(layer_configs(config)):
            layer = layer_class(own, index)
            if config.output_projection_biases:
                for module, name in ((layer.self_attn, "o_proj"), (layer.mlp, "down_proj")):
                    linear = getattr(module, name)
                    setattr(module, name, nn.Linear(linear.in_features, linear.out_features, bias=True))
            self.model.layers[index] = layer
        self.post_init()
`;
}
