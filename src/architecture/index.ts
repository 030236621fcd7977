import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { FileFormatError, UnsupportedError } from '../errors.ts';
import type { Architecture, ArchitectureFactory } from './architecture.ts';
import { type Rename, renamedCheckpoint } from './canonical.ts';
import { checkKeys } from './config-keys.ts';
import { ernie45 } from './families/ernie.ts';
import { gemma, gemma2 } from './families/gemma.ts';
import { glm, glm4 } from './families/glm.ts';
import { gpt2, gpt2Names } from './families/gpt2.ts';
import { granite, graniteMoeHybrid } from './families/granite.ts';
import { hunyuan } from './families/hunyuan.ts';
import { ministral3 } from './families/ministral3.ts';
import { neox, neoxNames } from './families/neox.ts';
import { olmo2, olmo3 } from './families/olmo.ts';
import { opt, optNames } from './families/opt.ts';
import { phi } from './families/phi.ts';
import { qwen35, qwen35Names } from './families/qwen3-5.ts';
import { smollm3 } from './families/smollm3.ts';
import { stableLm } from './families/stablelm.ts';
import { starcoder2 } from './families/starcoder2.ts';
import { KEY_RULES } from './family-keys.ts';
import { familyTitle, nearestFamily } from './family-titles.ts';
import { gemma3 } from './gemma3.ts';
import { gptOss } from './gpt-oss.ts';
import { gptOssExperts } from './gpt-oss-experts.ts';
import { lfm2, lfm2Moe } from './lfm2.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';
import { qwen3Moe } from './qwen3-moe.ts';
import { stackedExperts } from './stacked-experts.ts';
import { QUANTISATION_TENSOR } from './unread-tensors.ts';

const FACTORIES: Readonly<Record<string, ArchitectureFactory>> = {
  llama,
  lfm2,
  lfm2_moe: lfm2Moe,
  mistral,
  qwen2,
  qwen3,
  qwen3_moe: qwen3Moe,
  qwen3_5_text: qwen35,
  gemma3_text: gemma3,
  phi3,
  granite,
  granitemoehybrid: graniteMoeHybrid,
  smollm3,
  gemma,
  gemma2,
  olmo2,
  olmo3,
  glm,
  glm4,
  ernie4_5: ernie45,
  hunyuan_v1_dense: hunyuan,
  stablelm: stableLm,
  starcoder2,
  phi,
  ministral3,
  gpt2,
  gpt_neox: neox,
  gpt_oss: gptOss,
  opt,
};

/** Families whose tensors have other names than LLaMA's, or another arrangement. */
const RENAMES: Readonly<Record<string, (checkpoint: Checkpoint) => Rename>> = {
  gpt2: () => gpt2Names,
  gpt_neox: neoxNames,
  opt: () => optNames,
  qwen3_5_text: qwen35Names,
};

/** Families whose experts have a matrix each; in others an expert's matrix is a tensor that nobody reads. */
const WITH_EXPERTS: ReadonlySet<string> = new Set(['qwen3_moe', 'lfm2_moe', 'gpt_oss']);

/** The checkpoint as architectures ask for tensors: under LLaMA's names, experts stacked. */
export function canonicalCheckpoint(checkpoint: Checkpoint): Checkpoint {
  const type = String(checkpoint.config.model_type);
  const rename = RENAMES[type];
  if (rename) return renamedCheckpoint(checkpoint, rename(checkpoint));
  return WITH_EXPERTS.has(type) ? gptOssExperts(stackedExperts(checkpoint)) : checkpoint;
}

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
    const nearest = nearestFamily(type);
    throw new UnsupportedError(
      `${checkpoint.provenance.name}: the architecture "${type}" is not supported; supported are: ${supported}. The nearest is ${nearest} (${familyTitle(nearest)}): choose a model of that, or of another of these.`,
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
  // The experts of gpt-oss are read from their blocks (gpt-oss-experts.ts).
  if (stated?.quant_method === 'mxfp4' && config.model_type === 'gpt_oss' && packed === undefined) return;
  if (packed !== undefined)
    throw new UnsupportedError(
      `${provenance.name} is quantised${method} (tensor ${packed}), which is not read. Take the model in half precision, or as a GGUF file.`,
    );
  if (typeof stated === 'object' && stated !== null && Object.keys(stated).length > 0)
    throw new UnsupportedError(
      `config.json says by ${key} that ${provenance.name} is quantised${method}, which is not read. Take the model in half precision, or as a GGUF file; where its weights are plain numbers, remove ${key} from config.json.`,
    );
}
