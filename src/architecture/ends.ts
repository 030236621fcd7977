import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import type { ModelConfig } from './architecture.ts';
import { linear, rmsNorm } from './pieces.ts';

/** `tokenIds` int64 [batch, tokens], `embedding` [vocabulary, hiddenSize] -> `hidden` [batch, tokens, hiddenSize], times `scale`. */
export function embedProgram(config: ModelConfig, scale: number): Graph {
  const builder = new GraphBuilder('embed');
  const tokenIds = builder.input('tokenIds', 'int64', ['batch', 'tokens']);
  const embedding = builder.input('embedding', 'float32', [config.vocabulary, config.hiddenSize]);
  const rows = builder.add('Gather', [embedding, tokenIds], { axis: 0 });
  builder.output(
    scale === 1 ? rows : builder.add('Mul', [rows, builder.constant([scale])]),
    'float32',
    ['batch', 'tokens', config.hiddenSize],
    'hidden',
  );
  return builder.build();
}

/** The value of the head program that its gradient treats as constant: the row maximum, which cancels in the log of the sum of exponentials. */
export const HEAD_CONSTANTS = ['maximum'] as const;

/**
 * Final norm, projection and cross-entropy in nats: loss = log sum exp(z) - z[target], with the target's logit as a product with its own
 * row of the projection, so that nothing of vocabulary size is gathered or scattered. Rows come in chunks chosen by the caller.
 */
export function headProgram(config: ModelConfig): Graph {
  const builder = new GraphBuilder('head');
  const hidden = builder.input('hidden', 'float32', ['rows', config.hiddenSize]);
  const norm = builder.input('norm', 'float32', [config.hiddenSize]);
  const projection = builder.input('projection', 'float32', [config.vocabulary, config.hiddenSize]);
  const targets = builder.input('targets', 'int64', ['rows']);
  const normed = rmsNorm(builder, hidden, norm, config.normEpsilon);
  const logits = linear(builder, normed, projection);
  const lastAxis = builder.integers([-1]);
  const maximum = builder.add('ReduceMax', [logits, lastAxis], { keepdims: 1 }, { name: 'maximum' });
  const exponentials = builder.add('Exp', [builder.add('Sub', [logits, maximum])]);
  const logSum = builder.add('Add', [
    builder.add('Log', [builder.add('ReduceSum', [exponentials, lastAxis], { keepdims: 1 })]),
    maximum,
  ]);
  const targetRows = builder.add('Gather', [projection, targets], { axis: 0 });
  const targetLogit = builder.add('ReduceSum', [builder.add('Mul', [normed, targetRows]), lastAxis], { keepdims: 1 });
  const losses = builder.add('Squeeze', [builder.add('Sub', [logSum, targetLogit]), lastAxis]);
  builder.output(losses, 'float32', ['rows'], 'losses');
  builder.output(logits, 'float32', ['rows', config.vocabulary], 'logits');
  return builder.build();
}
