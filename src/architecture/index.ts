import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { FileFormatError, UnsupportedError } from '../errors.ts';
import type { Architecture, ArchitectureFactory } from './architecture.ts';
import { gemma3 } from './gemma3.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';

const FACTORIES: Readonly<Record<string, ArchitectureFactory>> = {
  llama,
  mistral,
  qwen2,
  qwen3,
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
  return factory(checkpoint);
}

/** Weights packed by AWQ, GPTQ, compressed-tensors or bitsandbytes have other names than plain ones. */
function refuseQuantised({ tensors, config, provenance }: Checkpoint): void {
  const packed = [...tensors.keys()].find((name) => /\.(qweight|weight_packed|weight\.quant_state\..*)$/.test(name));
  if (packed === undefined) return;
  const stated = config.quantization_config as { quant_method?: unknown } | null | undefined;
  const method = typeof stated?.quant_method === 'string' ? ` by ${stated.quant_method}` : '';
  throw new UnsupportedError(
    `${provenance.name} is quantised${method} (tensor ${packed}), which is not read. Take the model in half precision, or as a GGUF file.`,
  );
}
