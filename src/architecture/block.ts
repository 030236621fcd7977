import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import type { DecoderDesign, ModelConfig } from './architecture.ts';
import { ASSIGNMENT, type BlockTensors, type BlockWeight, blockInputs, mixerIn } from './block-weights.ts';
import { clampedGate } from './clamped-gate.ts';
import { gatedConvolution } from './convolution.ts';
import { deltaNet } from './delta-net.ts';
import { type ExpertDesign, routing } from './experts.ts';
import { activate, attention, linear, normalise } from './pieces.ts';

/**
 * One transformer block: h + attention(norm(h)), or h + convolution(norm(h)), or h + recurrence(norm(h)), then h + mlp(norm(h)), or both modules at once. Norms before a module and of what it adds,
 * norms of queries and keys (by head, or over the whole projection), biases and the gate of the MLP are there when the architecture has weights for them.
 */
export function blockProgram(config: ModelConfig, design: DecoderDesign, tensors: BlockTensors): Graph {
  const builder = new GraphBuilder('block');
  const { hiddenSize } = config;
  const half = config.ropeInverseFrequencies.length;
  const hidden = builder.input('hidden', 'float32', ['batch', 'tokens', hiddenSize]);
  const kind = mixerIn(tensors);
  if (kind === 'attention') {
    builder.input('cosine', 'float32', ['tokens', half]);
    builder.input('sine', 'float32', ['tokens', half]);
    builder.input('mask', 'float32', ['tokens', 'tokens']);
  }
  const weights = blockInputs(config, tensors);
  for (const [name, shape] of weights) builder.input(name, 'float32', shape);

  const ifPresent = (weight: BlockWeight) => (weights.has(weight) ? weight : undefined);
  const project = (input: string, weight: BlockWeight) =>
    linear(builder, input, weight, ifPresent(`${weight}.bias` as BlockWeight));
  const norm = (input: string, weight: BlockWeight) =>
    weights.has(weight)
      ? normalise(builder, input, weight, ifPresent(`${weight}.bias` as BlockWeight), config.normEpsilon, design.norm)
      : input;
  const scaled = (value: string) =>
    design.residualScale === 1 ? value : builder.add('Mul', [value, builder.constant([design.residualScale])]);

  const number = (value: number) => builder.constant([value]);
  /** How much each expert counts for each token. */
  const sharesOf = (experts: ExpertDesign) =>
    routing(builder, project(mlpInput, 'mlp.router'), 1, experts, { selection: ifPresent('mlp.selection'), number });

  const leading = builder.add('Shape', [hidden], { start: 0, end: 2 });
  const residual = builder.add('Reshape', [hidden, builder.integers([-1, hiddenSize])]);
  const mixerInput = norm(residual, `${kind}.norm`);
  const attended = () => {
    const context = attention(builder, config, {
      query: norm(project(mixerInput, 'attention.query'), 'attention.query.joint.norm'),
      key: norm(project(mixerInput, 'attention.key'), 'attention.key.joint.norm'),
      value: project(mixerInput, 'attention.value'),
      leading,
      cosine: 'cosine',
      sine: 'sine',
      mask: 'mask',
      queryNorm: ifPresent('attention.query.norm'),
      keyNorm: ifPresent('attention.key.norm'),
      sinks: ifPresent('attention.sinks'),
      design,
    });
    if (!weights.has('attention.gate')) return context;
    return builder.add('Mul', [context, builder.add('Sigmoid', [project(mixerInput, 'attention.gate')])]);
  };
  const convolved = () =>
    gatedConvolution(builder, {
      inputGate: project(mixerInput, 'convolution.inputGate'),
      outputGate: project(mixerInput, 'convolution.outputGate'),
      value: project(mixerInput, 'convolution.value'),
      leading,
      kernel: 'convolution.kernel',
      taps: config.convolution?.kernel ?? 0,
      bias: ifPresent('convolution.kernel.bias'),
    });
  const mixers = {
    attention: attended,
    convolution: convolved,
    recurrence: () => deltaNet(builder, config, { leading, project: (weight) => project(mixerInput, weight) }),
  };
  const mixed = mixers[kind]();
  const added = project(mixed, `${kind}.output`);
  const middle = builder.add('Add', [
    residual,
    scaled(kind === 'attention' ? norm(added, 'attention.output.norm') : added),
  ]);
  const own = norm(design.parallel ? residual : middle, 'mlp.norm');
  const mlpInput = design.parallel && !weights.has('mlp.norm') ? mixerInput : own;
  const up = () => project(mlpInput, 'mlp.up');
  const gate = () => activate(builder, design.activation, project(mlpInput, 'mlp.gate'));
  const gated = () =>
    design.clamp
      ? clampedGate(builder, project(mlpInput, 'mlp.gate'), up(), design.clamp, number)
      : builder.add('Mul', [gate(), up()]);
  const activated = weights.has('mlp.gate') ? gated() : activate(builder, design.activation, up());
  const shares = design.experts && weights.has('mlp.router') ? sharesOf(design.experts) : undefined;
  const activation = shares ? builder.add('Mul', [activated, linear(builder, shares, ASSIGNMENT)]) : activated;
  const product = project(activation, 'mlp.down');
  const down =
    shares && weights.has('mlp.expertBias')
      ? builder.add('Add', [product, builder.add('Gemm', [shares, 'mlp.expertBias'])])
      : product;
  const output = builder.add('Add', [middle, scaled(norm(down, 'mlp.down.norm'))]);
  builder.output(
    builder.add('Reshape', [output, builder.add('Shape', [hidden])]),
    'float32',
    ['batch', 'tokens', hiddenSize],
    'output',
  );
  return builder.build();
}
