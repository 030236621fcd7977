import type { Architecture, DecoderDesign, LayerKind, LayerPositions, Mixer, ModelConfig } from './architecture.ts';
import { blockProgram } from './block.ts';
import { type BindingOptions, type BlockTensors, blockBindings, LLAMA_TENSORS, mixerOf } from './block-weights.ts';
import { embedProgram, headProgram } from './ends.ts';
import type { ExpertDesign } from './experts.ts';

/** What an architecture declares; everything else is shared. */
export interface DecoderParts extends BindingOptions, Partial<DecoderDesign> {
  readonly config: ModelConfig;
  /** Default: LLaMA's. */
  readonly tensors?: BlockTensors;
  /** Of the layers that convolve in place of attending. */
  readonly convolution?: { readonly tensors: BlockTensors; readonly convolves: (layer: number) => boolean };
  /** Of the layers that have a recurrence in place of attention. */
  readonly recurrence?: { readonly tensors: BlockTensors; readonly has: (layer: number) => boolean };
  /** Of the layers whose MLP is a mixture of experts: the tensors of that MLP, in place of others. */
  readonly mixture?: {
    readonly tensors: BlockTensors;
    readonly design: ExpertDesign;
    readonly has: (layer: number) => boolean;
  };
  /** Tensor of the norm after the last block. Default: 'model.norm.weight'. */
  readonly finalNorm?: string;
  readonly positions: (layer: number) => LayerPositions;
  /** Whether the output matrix has a bias, which the checkpoint must have then. */
  readonly headBias?: boolean;
}

/** Learned vectors of positions under LLaMA's prefix, where no LLaMA has them. */
const POSITIONS = 'model.embed_positions.weight';

/** A decoder-only architecture in the Hugging Face layout, from what it declares. Without more it is LLaMA. */
export function decoder(parts: DecoderParts): Architecture {
  const { config, tensors = LLAMA_TENSORS, positions, convolution, recurrence, mixture } = parts;
  const tensorsOf = (kind: LayerKind) => {
    const others: Partial<Record<Mixer, BlockTensors | undefined>> = {
      convolution: convolution?.tensors,
      recurrence: recurrence?.tensors,
    };
    const mixing = others[mixerOf(kind)] ?? tensors;
    return mixture && kind.endsWith('with experts') ? { ...mixing, ...mixture.tensors } : mixing;
  };
  const kind = (layer: number): LayerKind => {
    const mixer = recurrence?.has(layer) ? 'recurrence' : convolution?.convolves(layer) ? 'convolution' : 'attention';
    return mixture?.has(layer) ? `${mixer} with experts` : mixer;
  };
  const design: DecoderDesign = {
    embeddingScale: parts.embeddingScale ?? 1,
    attentionScale: parts.attentionScale ?? config.headDimension ** -0.5,
    activation: parts.activation ?? 'silu',
    ...(mixture && { experts: mixture.design }),
    ...(parts.clamp && { clamp: parts.clamp }),
    norm: parts.norm ?? 'rms',
    rotation: parts.rotation ?? 'halves',
    normAfterRotation: parts.normAfterRotation ?? false,
    parallel: parts.parallel ?? false,
    residualScale: parts.residualScale ?? 1,
    logitScale: parts.logitScale ?? 1,
    attentionCap: parts.attentionCap,
    logitCap: parts.logitCap,
    learnedPositions: parts.learnedPositions ?? false,
  };
  const { hiddenSize, vocabulary, maximumPositions } = config;
  const offset = parts.normOffset ? { offset: parts.normOffset } : {};
  const last = parts.finalNorm ?? 'model.norm.weight';
  const norm = [
    { input: 'norm', tensor: last, shape: [hiddenSize], ...offset },
    ...(design.norm === 'layer'
      ? [{ input: 'norm.bias', tensor: last.replace(/weight$/, 'bias'), shape: [hiddenSize] }]
      : []),
  ];
  const matrix = [vocabulary, hiddenSize];
  const embedding = 'model.embed_tokens.weight';
  const embed = [{ input: 'embedding', tensor: embedding, shape: matrix }];
  if (design.learnedPositions)
    embed.push({ input: 'positions', tensor: POSITIONS, shape: [maximumPositions, hiddenSize] });
  const projection = [
    { input: 'projection', tensor: config.tiedEmbedding ? embedding : 'lm_head.weight', shape: matrix },
    ...(parts.headBias ? [{ input: 'projection.bias', tensor: 'lm_head.bias', shape: [vocabulary] }] : []),
  ];
  return {
    config,
    design,
    positions,
    embed: () => embedProgram(config, design),
    kind,
    block: (which = 'attention') => blockProgram(config, design, tensorsOf(which)),
    head: () => headProgram(config, design, parts.headBias ?? false),
    embedWeights: () => embed,
    blockWeights: (layer) => blockBindings(config, tensorsOf(kind(layer)), layer, parts),
    headWeights: () => [...norm, ...projection],
  };
}
