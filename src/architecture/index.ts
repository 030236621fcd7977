import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { FileFormatError, UnsupportedError } from '../errors.ts';
import type { Architecture, ArchitectureFactory } from './architecture.ts';
import { gemma3 } from './gemma3.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';

const FACTORIES: Readonly<Record<string, ArchitectureFactory>> = { llama, mistral, qwen2, qwen3, gemma3_text: gemma3, phi3 };

/** The architecture that config.json names by `model_type`. Throws UnsupportedError naming the value and the supported ones. */
export function architectureFor(checkpoint: Checkpoint): Architecture {
  const type = checkpoint.config.model_type;
  if (typeof type !== 'string')
    throw new FileFormatError(`${checkpoint.provenance.name}: config.json has no model_type; it must name the architecture, e.g. "llama".`);
  const factory = Object.hasOwn(FACTORIES, type) ? FACTORIES[type] : undefined;
  if (!factory) {
    const supported = Object.keys(FACTORIES).join(', ');
    throw new UnsupportedError(`${checkpoint.provenance.name}: the architecture "${type}" is not supported; supported are: ${supported}.`);
  }
  return factory(checkpoint);
}
