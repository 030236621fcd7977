import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { FileFormatError, UnsupportedError } from '../errors.ts';
import type { Architecture, ArchitectureFactory } from './architecture.ts';
import { checkKeys, KEY_RULES } from './config-keys.ts';
import { gemma3 } from './gemma3.ts';
import { lfm2, lfm2Moe } from './lfm2.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';
import { qwen3Moe } from './qwen3-moe.ts';
import { QUANTISATION_TENSOR } from './unread-tensors.ts';

const FACTORIES: Readonly<Record<string, ArchitectureFactory>> = {
  llama,
  lfm2,
  lfm2_moe: lfm2Moe,
  mistral,
  qwen2,
  qwen3,
  qwen3_moe: qwen3Moe,
  gemma3_text: gemma3,
  phi3,
};

/** The architecture that config.json names by `model_type`. Throws UnsupportedError naming the value and the supported ones. */
export function architectureFor(checkpoint: Checkpoint): Architecture {
  const type = checkpoint.config.model_type;
  if (typeof type !== 'string')
    throw new FileFormatError(
      `${checkpoint.provenance.name}: config.json has no model_type; it must name the architecture, e.g. "llama".`,
    );
  const factory = Object.hasOwn(FACTORIES, type) ? FACTORIES[type] : undefined;
  if (!factory) {
    const supported = Object.keys(FACTORIES).join(', ');
    throw new UnsupportedError(
      `${checkpoint.provenance.name}: the architecture "${type}" is not supported; supported are: ${supported}. Choose a model of one of these.`,
    );
  }
  refuseQuantised(checkpoint);
  checkKeys(checkpoint.config, KEY_RULES[type] ?? {});
  return factory(checkpoint);
}

/** Weights packed by AWQ, GPTQ, compressed-tensors or bitsandbytes have other names or codes than plain ones, and config.json tells of it. */
function refuseQuantised({ tensors, config, provenance }: Checkpoint): void {
  const packed = [...tensors.keys()].find((name) => QUANTISATION_TENSOR.test(name));
  // The second is MLX's.
  const key = config.quantization_config ? 'quantization_config' : 'quantization';
  const stated = config[key] as { quant_method?: unknown } | null | undefined;
  const method = typeof stated?.quant_method === 'string' ? ` by ${stated.quant_method}` : '';
  if (packed !== undefined)
    throw new UnsupportedError(
      `${provenance.name} is quantised${method} (tensor ${packed}), which is not read. Take the model in half precision, or as a GGUF file.`,
    );
  if (typeof stated === 'object' && stated !== null && Object.keys(stated).length > 0)
    throw new UnsupportedError(
      `config.json says by ${key} that ${provenance.name} is quantised${method}, which is not read. Take the model in half precision, or as a GGUF file; where its weights are plain numbers, remove ${key} from config.json.`,
    );
}
