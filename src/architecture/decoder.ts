import type { Architecture, DecoderDesign, LayerPositions, ModelConfig } from './architecture.ts';
import { blockProgram } from './block.ts';
import { type BindingOptions, type BlockTensors, blockBindings, LLAMA_TENSORS } from './block-weights.ts';
import { embedProgram, headProgram } from './ends.ts';

/** What an architecture declares; everything else is shared. */
export interface DecoderParts extends BindingOptions, Partial<DecoderDesign> {
  readonly config: ModelConfig;
  /** Default: LLaMA's. */
  readonly tensors?: BlockTensors;
  readonly positions: (layer: number) => LayerPositions;
}

/** A decoder-only architecture in the Hugging Face layout, from what it declares. Without more it is LLaMA. */
export function decoder(parts: DecoderParts): Architecture {
  const { config, tensors = LLAMA_TENSORS, positions } = parts;
  const design: DecoderDesign = {
    embeddingScale: parts.embeddingScale ?? 1,
    attentionScale: parts.attentionScale ?? config.headDimension ** -0.5,
    activation: parts.activation ?? 'silu',
  };
  const norm = {
    input: 'norm',
    tensor: 'model.norm.weight',
    shape: [config.hiddenSize],
    ...(parts.normOffset && { offset: parts.normOffset }),
  };
  const matrix = [config.vocabulary, config.hiddenSize];
  const embedding = 'model.embed_tokens.weight';
  return {
    config,
    design,
    positions,
    embed: () => embedProgram(config, design.embeddingScale),
    block: () => blockProgram(config, design, tensors),
    head: () => headProgram(config),
    embedWeights: () => [{ input: 'embedding', tensor: embedding, shape: matrix }],
    blockWeights: (layer) => blockBindings(config, tensors, layer, parts),
    headWeights: () => [
      norm,
      { input: 'projection', tensor: config.tiedEmbedding ? embedding : 'lm_head.weight', shape: matrix },
    ],
  };
}
