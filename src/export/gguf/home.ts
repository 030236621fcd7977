import type { LayerWidths } from '../../architecture/architecture.ts';
import type { Model } from '../../architecture/model.ts';
import { UnsupportedError } from '../../errors.ts';
import { modelShape } from '../safetensors/shape.ts';

/** The architecture of llama.cpp that computes a model, and the widths of its layers. */
export interface GgufHome {
  /** `general.architecture`. */
  readonly architecture: 'llama' | 'qwen2' | 'qwen3' | 'gemma3' | 'phi3' | 'deci' | 'openelm';
  readonly widths: readonly LayerWidths[];
  /** The one width that all layers have; undefined where they differ. */
  readonly uniform: LayerWidths | undefined;
}

const NATIVE: Readonly<Record<string, GgufHome['architecture']>> = {
  llama: 'llama',
  mistral: 'llama',
  qwen2: 'qwen2',
  qwen3: 'qwen3',
  gemma3_text: 'gemma3',
  phi3: 'phi3',
};

/** Families that `deci` computes once their rows of queries and keys are interleaved: it reads widths per layer and takes biases everywhere. */
const FREE_AS_DECI: ReadonlySet<string> = new Set(['llama', 'mistral', 'qwen2']);

/** Gemma 3's every sixth layer sees everything, by its place in the file. */
const GEMMA_PATTERN = 6;

/**
 * Where llama.cpp can run the model, which has no removed layers (`compactedCheckpoint`): the family's own architecture where every layer is equally wide, `deci` (LLaMA, Mistral, Qwen2) or `openelm` (Qwen3 with a tied
 * embedding) where layers differ. Throws UnsupportedError saying which shape would have a home.
 */
export function ggufHome(model: Model): GgufHome {
  const { config } = model.architecture;
  const { widths, uniform } = modelShape(model);
  const native = NATIVE[config.architecture];
  const place = { widths, uniform };
  if (native === undefined)
    throw new UnsupportedError(
      `GGUF files are written for ${Object.keys(NATIVE).join(', ')}, and this model is ${config.architecture}. Take it away as ONNX or safetensors.`,
    );
  const biased = addedBias(model, native);
  if (native === 'gemma3' && !keepsPattern(model))
    throw new UnsupportedError(
      `llama.cpp lets every ${GEMMA_PATTERN}th layer of Gemma 3 see everything, and with layers removed others would. Choose a plan that removes no whole layers, or take the model away as ONNX or safetensors.`,
    );
  if (uniform && biased === undefined) return { architecture: native, ...place };
  if (FREE_AS_DECI.has(config.architecture)) return { architecture: 'deci', ...place };
  if (config.architecture === 'qwen3' && config.tiedEmbedding && biased === undefined)
    return { architecture: 'openelm', ...place };
  throw new UnsupportedError(
    biased === undefined
      ? `llama.cpp has no ${config.architecture} model whose layers have different widths. The shape "uniform" (--shape uniform) has a home there; ONNX and safetensors take every shape.`
      : `llama.cpp has no ${config.architecture} model with ${biased}, which compensation added. Prune without compensation and with the shape "uniform"; ONNX and safetensors take biases too.`,
  );
}

/** A bias that the native architecture does not read. */
function addedBias({ checkpoint }: Model, native: GgufHome['architecture']): string | undefined {
  if (native === 'llama') return undefined;
  return [...checkpoint.tensors.keys()].find((name) => /\.(o_proj|down_proj)\.bias$/.test(name));
}

function keepsPattern({ architecture }: Model): boolean {
  return architecture.config.layerWidths.every((_, layer) => {
    const isGlobal = architecture.positions(layer).window === undefined;
    return isGlobal === ((layer + 1) % GEMMA_PATTERN === 0);
  });
}
