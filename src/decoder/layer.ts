import type { LayerPositions, LayerWidths, WeightBinding } from '../architecture/architecture.ts';
import { isRemovedLayer, mixerOf } from '../architecture/block-weights.ts';
import { clampedGate } from '../architecture/clamped-gate.ts';
import { expertOfNeurons, routing } from '../architecture/experts.ts';
import type { Model } from '../architecture/model.ts';
import { float, type GraphBuilder } from '../onnx/builder.ts';
import { type CachedAttention, cachedAttention, type RotaryTables, rotatesInside } from './attention.ts';
import { cachedConvolution } from './convolution.ts';
import { cachedDeltaNet } from './recurrence.ts';
import type { ResidualStream } from './residual-stream.ts';
import type { SequenceLengths } from './sequence-lengths.ts';
import { WeightNames } from './weight-names.ts';
import type { NormWeights, WeightedOperators } from './weighted-operators.ts';

/** Everything that the layers of one decoder share. */
export interface DecoderScope {
  readonly model: Model;
  readonly builder: GraphBuilder;
  readonly operators: WeightedOperators;
  readonly stream: ResidualStream;
  readonly lengths: SequenceLengths;
  readonly rotaryTables: (positions: LayerPositions) => RotaryTables | undefined;
}

/** Adds one layer of these widths; nothing where it was removed. */
export function addLayer(scope: DecoderScope, layer: number, widths: LayerWidths): void {
  const { keyValueHeads, neurons } = widths;
  if (isRemovedLayer(widths)) return;
  const { stream } = scope;
  const { architecture, checkpoint } = scope.model;
  const roles = new WeightNames(checkpoint, architecture.blockWeights(layer));
  if (architecture.design.parallel) {
    addParallel(scope, layer, widths, roles);
    return;
  }
  const mixer = mixerOf(architecture.kind(layer));
  if (mixer === 'convolution') addConvolution(scope, layer, widths.channels ?? 0, roles);
  else if (mixer === 'recurrence') addRecurrence(scope, layer, roles);
  else if (keyValueHeads > 0)
    addAttention(scope, layer, keyValueHeads, roles, () => input(stream, roles, 'attention.norm'));
  else addBias(scope, roles, 'attention.output.bias');
  if (neurons > 0) addMlp(scope, roles, input(stream, roles, 'mlp.norm'), widths);
  else addBias(scope, roles, 'mlp.down.bias');
}

/** Both modules read the stream as it enters the layer, through one norm or one each. */
function addParallel(scope: DecoderScope, layer: number, widths: LayerWidths, roles: WeightNames): void {
  const { keyValueHeads, neurons } = widths;
  const { stream } = scope;
  const attentionInput = input(stream, roles, 'attention.norm');
  const mlpInput = roles.optional('mlp.norm') ? input(stream, roles, 'mlp.norm') : attentionInput;
  if (keyValueHeads > 0) addAttention(scope, layer, keyValueHeads, roles, () => attentionInput);
  else addBias(scope, roles, 'attention.output.bias');
  if (neurons > 0) addMlp(scope, roles, mlpInput, widths);
  else addBias(scope, roles, 'mlp.down.bias');
}

/** What a module reads: the stream through its norm, or as it is. */
function input(
  stream: ResidualStream,
  roles: WeightNames,
  role: 'attention.norm' | 'convolution.norm' | 'recurrence.norm' | 'mlp.norm',
): string {
  const norm = normOf(roles, role);
  return norm ? stream.normalised(norm) : stream.current();
}

function normOf(roles: WeightNames, role: string): NormWeights | undefined {
  const weight = roles.optional(role);
  return weight && { weight, bias: roles.optional(`${role}.bias`) };
}

function addBias({ model, stream, builder, operators }: DecoderScope, roles: WeightNames, role: string): void {
  const bias = roles.optional(role);
  const { residualScale } = model.architecture.design;
  if (!bias || residualScale === 1) stream.addBias(bias);
  else stream.add(scaledBy(builder, operators.tensor(bias), residualScale), undefined);
}

function addAttention(
  scope: DecoderScope,
  layer: number,
  keyValueHeads: number,
  roles: WeightNames,
  value: () => string,
): void {
  const { model, builder, operators, lengths } = scope;
  const sinks = roles.optional('attention.sinks');
  const { config, design } = model.architecture;
  const positions = model.architecture.positions(layer);
  const rotary = scope.rotaryTables(positions);
  const attended = value();
  const context = cachedAttention(builder, {
    projections: addProjections(scope, attended, roles, rotatesInside(config.headDimension, rotary)),
    pastKey: `past_key_values.${layer}.key`,
    pastValue: `past_key_values.${layer}.value`,
    presentKey: `present.${layer}.key`,
    presentValue: `present.${layer}.value`,
    queryHeads: keyValueHeads * (config.queryHeads / config.keyValueHeads),
    keyValueHeads,
    headDimension: config.headDimension,
    scale: design.attentionScale,
    window: positions.window,
    cap: design.attentionCap,
    sinks: sinks && operators.tensor(sinks),
    lengths,
    rotary,
    afterRotation: design.normAfterRotation
      ? (turned, part) => normOfHeads(scope, turned, roles, `attention.${part}`)
      : undefined,
  });
  const gate = roles.optional('attention.gate');
  const gated = (weight: WeightBinding) => {
    const open = operators.linear(attended, weight, roles.optional('attention.gate.bias'));
    return builder.add('Mul', [context, builder.add('Sigmoid', [open])]);
  };
  addModule(scope, gate ? gated(gate) : context, roles, 'attention.output');
}

const CONVOLUTION = ['convolution.inputGate', 'convolution.outputGate', 'convolution.value'] as const;

/** The gated short convolution over the present tokens and those that its cache holds. */
function addConvolution(scope: DecoderScope, layer: number, channels: number, roles: WeightNames): void {
  const { model, builder, operators, stream } = scope;
  if (channels === 0) {
    addBias(scope, roles, 'convolution.output.bias');
    return;
  }
  const biases = CONVOLUTION.map((role) => roles.optional(`${role}.bias`)).filter((bias) => bias !== undefined);
  const projected = operators.stackedLinear(
    input(stream, roles, 'convolution.norm'),
    CONVOLUTION.map((role) => roles.get(role)),
    biases,
  );
  const [inputGate = '', outputGate = '', value = ''] = builder.addMany(
    'Split',
    [projected, builder.integers(CONVOLUTION.map(() => channels))],
    CONVOLUTION.length,
    { axis: 2 },
  );
  const bias = roles.optional('convolution.kernel.bias');
  const convolved = cachedConvolution(builder, {
    value: builder.add('Mul', [inputGate, value]),
    kernel: operators.tensor(roles.get('convolution.kernel')),
    bias: bias && operators.tensor(bias),
    channels,
    taps: model.architecture.config.convolution?.kernel ?? 0,
    past: `past_conv.${layer}`,
    present: `present_conv.${layer}`,
  });
  addModule(scope, builder.add('Mul', [outputGate, convolved]), roles, 'convolution.output');
}

/** The gated delta net over the present tokens, from the state that its cache holds. */
function addRecurrence(scope: DecoderScope, layer: number, roles: WeightNames): void {
  const { model, builder, operators, stream } = scope;
  const { recurrence } = model.architecture.config;
  if (!recurrence) return;
  const value = input(stream, roles, 'recurrence.norm');
  const output = cachedDeltaNet(builder, operators, { value, layer, sizes: recurrence, roles });
  addModule(scope, output, roles, 'recurrence.output');
}

const PROJECTIONS = ['attention.query', 'attention.key', 'attention.value'] as const;

/** Packed where attention takes them so, they need no norms of their own, and biases are on all or none. */
function addProjections(
  scope: DecoderScope,
  value: string,
  roles: WeightNames,
  mayPack: boolean,
): CachedAttention['projections'] {
  const { model, operators } = scope;
  const isPlain = PROJECTIONS.every((role) => !roles.optional(`${role}.norm`) && !roles.optional(`${role}.joint.norm`));
  const biases = PROJECTIONS.map((role) => roles.optional(`${role}.bias`)).filter((bias) => bias !== undefined);
  if (mayPack && isPlain && (biases.length === 0 || biases.length === PROJECTIONS.length)) {
    return {
      packed: operators.stackedLinear(
        value,
        PROJECTIONS.map((role) => roles.get(role)),
        biases,
      ),
    };
  }
  const [query = '', key = '', values = ''] = PROJECTIONS.map((role) => {
    const projected = operators.linear(value, roles.get(role), roles.optional(`${role}.bias`));
    const joint = normOf(roles, `${role}.joint.norm`);
    if (joint) return operators.norm(projected, joint);
    return model.architecture.design.normAfterRotation ? projected : normOfHeads(scope, projected, roles, role);
  });
  return { query, key, value: values };
}

/** Each head normalised by itself, where the architecture has a norm for it. */
function normOfHeads(
  { model, builder, operators }: DecoderScope,
  value: string,
  roles: WeightNames,
  role: string,
): string {
  const norm = normOf(roles, `${role}.norm`);
  if (!norm) return value;
  const { headDimension } = model.architecture.config;
  const heads = builder.add('Reshape', [value, builder.integers([0, -1, headDimension])]);
  const channels = roles.get(role).shape[0] ?? headDimension;
  return builder.add('Reshape', [operators.norm(heads, norm), builder.integers([0, -1, channels])]);
}

/** The MLP: (activation(x G) * x U) D, or activation(x U) D without a gate. QuickGelu with alpha 1 is silu as one operator. All experts are computed, and count as much as the router says. */
function addMlp(scope: DecoderScope, roles: WeightNames, value: string, { experts }: LayerWidths): void {
  const { model, builder, operators, stream } = scope;
  const { activation, experts: routes } = model.architecture.design;
  const linear = (role: string) => operators.linear(value, roles.get(role), roles.optional(`${role}.bias`));
  const gate = roles.optional('mlp.gate') && linear('mlp.gate');
  const up = linear('mlp.up');
  const activate = (input: string) => {
    if (activation === 'silu')
      return builder.add('QuickGelu', [input], { alpha: float(1) }, { domain: 'com.microsoft' });
    if (activation === 'relu') return builder.add('Relu', [input]);
    return builder.add('Gelu', [input], { approximate: activation === 'gelu-tanh' ? 'tanh' : 'none' });
  };
  const number = (value: number) => builder.add('CastLike', [builder.constant([value]), up]);
  const { clamp } = model.architecture.design;
  const gated = (given: string) =>
    clamp ? clampedGate(builder, given, up, clamp, number) : builder.add('Mul', [activate(given), up]);
  const product = gate ? gated(gate) : activate(up);
  if (!experts || !routes) {
    addModule(scope, product, roles, 'mlp.down');
    return;
  }
  const selection = roles.optional('mlp.selection');
  const shares = routing(
    builder,
    operators.exactLinear(value, roles.get('mlp.router'), roles.optional('mlp.router.bias')),
    2,
    routes,
    {
      selection: selection && operators.tensor(selection),
      number,
    },
  );
  const owners = builder.integers(expertOfNeurons(experts));
  const routed = builder.add('Mul', [product, builder.add('Gather', [shares, owners], { axis: 2 })]);
  const bias = roles.optional('mlp.expertBias');
  if (!bias) {
    addModule(scope, routed, roles, 'mlp.down');
    return;
  }
  const biased = builder.add('MatMul', [shares, operators.tensor(bias)]);
  const down = operators.linear(routed, roles.get('mlp.down'), roles.optional('mlp.down.bias'));
  stream.add(builder.add('Add', [down, biased]), undefined);
}

/** Projects a module's result to the hidden size and adds it to the stream; some architectures normalise or scale it first. */
function addModule(
  { model, builder, operators, stream }: DecoderScope,
  value: string,
  roles: WeightNames,
  role: 'attention.output' | 'convolution.output' | 'recurrence.output' | 'mlp.down',
): void {
  const { residualScale } = model.architecture.design;
  const norm = normOf(roles, `${role}.norm`);
  const bias = roles.optional(`${role}.bias`);
  if (!norm && residualScale === 1) {
    stream.add(operators.linear(value, roles.get(role)), bias);
    return;
  }
  const whole = operators.linear(value, roles.get(role), bias);
  stream.add(scaledBy(builder, norm ? operators.norm(whole, norm) : whole, residualScale), undefined);
}

/** Times a number, in the value's own type. */
export function scaledBy(builder: GraphBuilder, value: string, scale: number): string {
  if (scale === 1) return value;
  return builder.add('Mul', [value, builder.add('CastLike', [builder.constant([scale]), value])]);
}
