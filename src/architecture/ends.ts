import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import type { DecoderDesign, ModelConfig } from './architecture.ts';
import { linear, normalise, softCap } from './pieces.ts';

/**
 * `tokenIds` int64 [batch, tokens], `embedding` [vocabulary, hiddenSize] -> `hidden` [batch, tokens, hiddenSize], times the design's scale, plus the rows
 * `positionIds` [tokens] of `positions` where these are learned.
 */
export function embedProgram(config: ModelConfig, design: DecoderDesign): Graph {
  const builder = new GraphBuilder('embed');
  const { hiddenSize } = config;
  const tokenIds = builder.input('tokenIds', 'int64', ['batch', 'tokens']);
  const embedding = builder.input('embedding', 'float32', [config.vocabulary, hiddenSize]);
  const rows = builder.add('Gather', [embedding, tokenIds], { axis: 0 });
  const scaled = scaledBy(builder, rows, design.embeddingScale);
  const placed = () => {
    const positionIds = builder.input('positionIds', 'int64', ['tokens']);
    const positions = builder.input('positions', 'float32', [config.maximumPositions, hiddenSize]);
    return builder.add('Add', [scaled, builder.add('Gather', [positions, positionIds], { axis: 0 })]);
  };
  const hidden = design.learnedPositions ? placed() : scaled;
  builder.output(hidden, 'float32', ['batch', 'tokens', hiddenSize], 'hidden');
  return builder.build();
}

/** The value of the head program that its gradient treats as constant: the row maximum, which cancels in the log of the sum of exponentials. */
export const HEAD_CONSTANTS = ['maximum'] as const;

/**
 * Final norm, projection and cross-entropy in nats: loss = log sum exp(z) - z[target], with the target's logit as a product with its own
 * row of the projection, so that nothing of vocabulary size is gathered or scattered. Rows come in chunks chosen by the caller.
 */
export function headProgram(config: ModelConfig, design: DecoderDesign, hasBias: boolean): Graph {
  const builder = new GraphBuilder('head');
  const hidden = builder.input('hidden', 'float32', ['rows', config.hiddenSize]);
  const norm = builder.input('norm', 'float32', [config.hiddenSize]);
  const projection = builder.input('projection', 'float32', [config.vocabulary, config.hiddenSize]);
  const targets = builder.input('targets', 'int64', ['rows']);
  const normBias = design.norm === 'layer' ? builder.input('norm.bias', 'float32', [config.hiddenSize]) : undefined;
  const bias = hasBias ? builder.input('projection.bias', 'float32', [config.vocabulary]) : undefined;
  const shaped = (value: string) => softCap(builder, scaledBy(builder, value, design.logitScale), design.logitCap);
  const normed = normalise(builder, hidden, norm, normBias, config.normEpsilon, design.norm);
  const logits = shaped(linear(builder, normed, projection, bias));
  const lastAxis = builder.integers([-1]);
  const maximum = builder.add('ReduceMax', [logits, lastAxis], { keepdims: 1 }, { name: 'maximum' });
  const exponentials = builder.add('Exp', [builder.add('Sub', [logits, maximum])]);
  const logSum = builder.add('Add', [
    builder.add('Log', [builder.add('ReduceSum', [exponentials, lastAxis], { keepdims: 1 })]),
    maximum,
  ]);
  const targetRows = builder.add('Gather', [projection, targets], { axis: 0 });
  const product = builder.add('ReduceSum', [builder.add('Mul', [normed, targetRows]), lastAxis], { keepdims: 1 });
  const biasOfTarget = (all: string) =>
    builder.add('Unsqueeze', [builder.add('Gather', [all, targets], { axis: 0 }), lastAxis]);
  const targetLogit = shaped(bias === undefined ? product : builder.add('Add', [product, biasOfTarget(bias)]));
  const losses = builder.add('Squeeze', [builder.add('Sub', [logSum, targetLogit]), lastAxis]);
  builder.output(losses, 'float32', ['rows'], 'losses');
  builder.output(logits, 'float32', ['rows', config.vocabulary], 'logits');
  return builder.build();
}

function scaledBy(builder: GraphBuilder, value: string, scale: number): string {
  return scale === 1 ? value : builder.add('Mul', [value, builder.constant([scale])]);
}
