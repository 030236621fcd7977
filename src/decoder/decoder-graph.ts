import type { LayerPositions, LayerWidths, ModelConfig, WeightBinding } from '../architecture/architecture.ts';
import { isRemovedLayer, mixerOf } from '../architecture/block-weights.ts';
import { type ExpertDesign, expertOfNeurons, routing } from '../architecture/experts.ts';
import type { Model } from '../architecture/model.ts';
import { rotaryTables } from '../architecture/rope.ts';
import { UnsupportedError, UsageError } from '../errors.ts';
import { float, GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { type CachedAttention, cachedAttention, type RotaryTables, rotatesInside } from './attention.ts';
import { cachedConvolution, convolutionStates } from './convolution.ts';
import { EXPORT_FORMATS, type ExportDataType } from './dtypes.ts';
import { areGrouped } from './group-blocks.ts';
import { ResidualStream } from './residual-stream.ts';
import { givenLengths, type SequenceLengths, sequenceLengths } from './sequence-lengths.ts';
import { withValueTypes } from './value-types.ts';
import { WeightFile } from './weight-file.ts';
import { WeightNames } from './weight-names.ts';
import { WeightedOperators } from './weighted-operators.ts';

export interface DecoderOptions {
  /** Default 'f32'. */
  readonly dataType?: ExportDataType | undefined;
  /** External data file as the graph refers to it; default: the name that transformers.js expects, e.g. 'model.onnx_data'. */
  readonly location?: string | undefined;
  /**
   * One new token of one sequence of at most `capacity`, all sizes fixed and nothing computed on the host, as WebGPU graph capture needs:
   * `input_ids` int64 [1, 1], `last_position` int32 [1] and `total_sequence_length` int32 [] instead of a mask, logits [1, vocabulary].
   * Only where `allowsSingleToken`. Default: sequences of any length.
   */
  readonly singleToken?: { readonly capacity: number } | undefined;
  /** Rows of the rotary tables, the longest sequence that the decoder can hold; default: the model's maximum, at most 32,768. */
  readonly positions?: number | undefined;
}

/** A decoder graph and the external file with its weights. */
export interface Decoder {
  readonly graph: Graph;
  readonly weights: WeightFile;
}

/** Tables of models with very long contexts would be larger than small models' weights. */
const LONGEST_TABLE = 32_768;
const FLOAT32 = 1;

/** The longest sequence that a decoder holds unless it is built for another length. */
export function decoderPositions({ maximumPositions }: ModelConfig): number {
  return Math.min(maximumPositions, LONGEST_TABLE);
}

/** Whether a decoder of single tokens can be built: attention rotates by itself, no layer convolves, and the embedding is not in blocks (WebGPU looks up no bytes). */
export function allowsSingleToken({ architecture }: Model, dataType: ExportDataType): boolean {
  const { config } = architecture;
  const isInside = config.layerWidths.every((_, layer) =>
    rotatesInside(config.headDimension, architecture.positions(layer).inverseFrequencies.length),
  );
  return isInside && convolutionStates(config).length === 0 && EXPORT_FORMATS[dataType].embeddingBits === undefined;
}

/** Everything that the layers of one decoder share. */
interface Scope {
  readonly model: Model;
  readonly builder: GraphBuilder;
  readonly operators: WeightedOperators;
  readonly stream: ResidualStream;
  readonly lengths: SequenceLengths;
  readonly rotaryTables: (positions: LayerPositions) => RotaryTables;
}

/**
 * The static decoder of a (pruned) model as transformers.js expects it: `input_ids` int64 [batch, sequence], `attention_mask` int64
 * [batch, past + sequence], `num_logits_to_keep` int64 [] (0: all), `past_key_values.{i}.key|value` [batch, keyValueHeads_i, past,
 * headDimension] -> `logits` float32 [batch, kept, vocabulary], `present.{i}.key|value`. Sequences of a batch are padded on the right.
 * A layer that convolves has `past_conv.{i}` [batch, channels_i, kernel] -> `present_conv.{i}` for its cache; there the sequences of a batch must be equally long.
 * Layers have their own widths; a removed layer or module leaves no nodes and no cache. A tied embedding is stored once.
 * Throws UnsupportedError when no attention is left, UsageError for more positions than the model has.
 */
export function decoderGraph(model: Model, options: DecoderOptions = {}): Decoder {
  const format = EXPORT_FORMATS[options.dataType ?? 'f32'];
  const { config, design } = model.architecture;
  const builder = new GraphBuilder('decoder');
  const weights = new WeightFile(options.location ?? `${format.file}_data`);
  const isGrouped = (bindings: readonly WeightBinding[], bits: 4 | 8) => areGrouped(model.checkpoint, bindings, bits);
  const operators = new WeightedOperators(builder, weights, format, config.normEpsilon, isGrouped);

  const single = options.singleToken;
  const inputIds = builder.input('input_ids', 'int64', single ? [1, 1] : ['batch_size', 'sequence_length']);
  const attentionMask = single
    ? undefined
    : builder.input('attention_mask', 'int64', ['batch_size', 'total_sequence_length']);
  const keep = single ? undefined : builder.input('num_logits_to_keep', 'int64', []);
  const givens = attentionMask === undefined ? givenLengths(builder) : undefined;
  const caches = attendingLayers(config.layerWidths);
  const states = convolutionStates(config);
  const cacheShape = (heads: number, length: string) =>
    single ? [1, heads, single.capacity, config.headDimension] : ['batch_size', heads, length, config.headDimension];
  for (const { layer, keyValueHeads } of caches) {
    builder.input(
      `past_key_values.${layer}.key`,
      format.activations,
      cacheShape(keyValueHeads, 'past_sequence_length'),
    );
    builder.input(
      `past_key_values.${layer}.value`,
      format.activations,
      cacheShape(keyValueHeads, 'past_sequence_length'),
    );
  }

  const rows = operators.embed(
    inputIds,
    new WeightNames(model.checkpoint, model.architecture.embedWeights()).get('embedding'),
  );
  const embedded =
    design.embeddingScale === 1
      ? rows
      : builder.add('Mul', [rows, builder.add('CastLike', [builder.constant([design.embeddingScale]), rows])]);
  const scope: Scope = {
    model,
    builder,
    operators,
    stream: new ResidualStream(builder, operators, embedded),
    lengths: givens ?? sequenceLengths(builder, inputIds, attentionMask ?? ''),
    rotaryTables: rotaryTableMaker(
      model,
      builder,
      weights,
      format.activations,
      options.positions ?? decoderPositions(config),
    ),
  };
  for (const { input, shape } of states) builder.input(input, format.activations, shape);
  for (const [layer, widths] of config.layerWidths.entries()) addLayer(scope, layer, widths);
  addLogits(scope, inputIds, keep, format.activations === 'float16');
  for (const { layer, keyValueHeads } of caches) {
    builder.output(`present.${layer}.key`, format.activations, cacheShape(keyValueHeads, 'total_sequence_length'));
    builder.output(`present.${layer}.value`, format.activations, cacheShape(keyValueHeads, 'total_sequence_length'));
  }
  for (const { output, shape } of states) builder.output(output, format.activations, shape);
  return { graph: withValueTypes(builder.build()), weights };
}

function attendingLayers(layerWidths: readonly LayerWidths[]) {
  const layers = layerWidths
    .map(({ keyValueHeads }, layer) => ({ layer, keyValueHeads }))
    .filter(({ keyValueHeads }) => keyValueHeads > 0);
  if (layers.length === 0)
    throw new UnsupportedError(
      'No layer has a key/value head left; a decoder needs attention in at least one layer. Prune less.',
    );
  return layers;
}

/** Tables [positions, half]; layers with equal positions share them. */
function rotaryTableMaker(
  model: Model,
  builder: GraphBuilder,
  weights: WeightFile,
  dataType: 'float32' | 'float16',
  positions: number,
) {
  const { maximumPositions } = model.architecture.config;
  if (!Number.isInteger(positions) || positions < 1 || positions > maximumPositions)
    throw new UsageError(
      `A decoder for ${positions} positions was asked for; the model holds 1 to ${maximumPositions}.`,
    );
  const known = new Map<string, RotaryTables>();
  return (layerPositions: LayerPositions): RotaryTables => {
    const { inverseFrequencies, magnitude } = layerPositions;
    const half = inverseFrequencies.length;
    const key = `${magnitude} ${inverseFrequencies.join()}`;
    const add = (part: 'cosine' | 'sine') => {
      const name = known.size === 0 ? `rotary.${part}` : `rotary.${known.size}.${part}`;
      return builder.initializer(
        name,
        weights.computed(
          name,
          [positions, half],
          dataType,
          () => rotaryTables(inverseFrequencies, positions, 0, magnitude)[part],
        ).initializer,
      );
    };
    const tables = known.get(key) ?? { cosine: add('cosine'), sine: add('sine'), half };
    known.set(key, tables);
    return tables;
  };
}

function addLayer(scope: Scope, layer: number, widths: LayerWidths): void {
  if (isRemovedLayer(widths)) return;
  const roles = new WeightNames(scope.model.checkpoint, scope.model.architecture.blockWeights(layer));
  if (mixerOf(scope.model.architecture.kind(layer)) === 'convolution')
    addConvolution(scope, layer, widths.channels ?? 0, roles);
  else if (widths.keyValueHeads > 0) addAttention(scope, layer, widths.keyValueHeads, roles);
  else scope.stream.addBias(roles.optional('attention.output.bias'));
  if (widths.neurons > 0) addMlp(scope, roles, widths);
  else scope.stream.addBias(roles.optional('mlp.down.bias'));
}

function addAttention(scope: Scope, layer: number, keyValueHeads: number, roles: WeightNames): void {
  const { model, builder, operators, stream, lengths } = scope;
  const { config, design } = model.architecture;
  const positions = model.architecture.positions(layer);
  const rotary = scope.rotaryTables(positions);
  const context = cachedAttention(builder, {
    projections: addProjections(
      scope,
      stream.normalised(roles.get('attention.norm')),
      roles,
      rotatesInside(config.headDimension, rotary.half),
    ),
    pastKey: `past_key_values.${layer}.key`,
    pastValue: `past_key_values.${layer}.value`,
    presentKey: `present.${layer}.key`,
    presentValue: `present.${layer}.value`,
    queryHeads: keyValueHeads * (config.queryHeads / config.keyValueHeads),
    keyValueHeads,
    headDimension: config.headDimension,
    scale: design.attentionScale,
    window: positions.window,
    lengths,
    rotary,
  });
  addModule(operators, stream, context, roles, 'attention.output');
}

const CONVOLUTION = ['convolution.inputGate', 'convolution.outputGate', 'convolution.value'] as const;

/** The gated short convolution over the present tokens and those that its cache holds. */
function addConvolution(scope: Scope, layer: number, channels: number, roles: WeightNames): void {
  const { model, builder, operators, stream } = scope;
  if (channels === 0) {
    stream.addBias(roles.optional('convolution.output.bias'));
    return;
  }
  const biases = CONVOLUTION.map((role) => roles.optional(`${role}.bias`)).filter((bias) => bias !== undefined);
  const projected = operators.stackedLinear(
    stream.normalised(roles.get('convolution.norm')),
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
  addModule(operators, stream, builder.add('Mul', [outputGate, convolved]), roles, 'convolution.output');
}

const PROJECTIONS = ['attention.query', 'attention.key', 'attention.value'] as const;

/** Packed where attention takes them so, they need no norms of their own, and biases are on all or none. */
function addProjections(
  { model, builder, operators }: Scope,
  input: string,
  roles: WeightNames,
  mayPack: boolean,
): CachedAttention['projections'] {
  const norms = PROJECTIONS.map((role) => roles.optional(`${role}.norm`));
  const biases = PROJECTIONS.map((role) => roles.optional(`${role}.bias`)).filter((bias) => bias !== undefined);
  if (
    mayPack &&
    norms.every((norm) => norm === undefined) &&
    (biases.length === 0 || biases.length === PROJECTIONS.length)
  ) {
    return {
      packed: operators.stackedLinear(
        input,
        PROJECTIONS.map((role) => roles.get(role)),
        biases,
      ),
    };
  }
  const [query = '', key = '', value = ''] = PROJECTIONS.map((role, index) => {
    const projected = operators.linear(input, roles.get(role), roles.optional(`${role}.bias`));
    const norm = norms[index];
    if (!norm) return projected;
    const { headDimension } = model.architecture.config;
    const heads = builder.add('Reshape', [projected, builder.integers([0, -1, headDimension])]);
    const channels = roles.get(role).shape[0] ?? headDimension;
    return builder.add('Reshape', [operators.norm(heads, norm), builder.integers([0, -1, channels])]);
  });
  return { query, key, value };
}

/** The gated MLP: (activation(x G) * x U) D. QuickGelu with alpha 1 is silu as one operator. All experts are computed, and count as much as the router says. */
function addMlp({ model, builder, operators, stream }: Scope, roles: WeightNames, widths: LayerWidths): void {
  const { activation, experts: design } = model.architecture.design;
  const input = stream.normalised(roles.get('mlp.norm'));
  const gate = operators.linear(input, roles.get('mlp.gate'), roles.optional('mlp.gate.bias'));
  const up = operators.linear(input, roles.get('mlp.up'), roles.optional('mlp.up.bias'));
  const activated =
    activation === 'silu'
      ? builder.add('QuickGelu', [gate], { alpha: float(1) }, { domain: 'com.microsoft' })
      : builder.add('Gelu', [gate], { approximate: activation === 'gelu-tanh' ? 'tanh' : 'none' });
  const product = builder.add('Mul', [activated, up]);
  const { experts } = widths;
  const routed = () => {
    const number = (value: number) => builder.add('CastLike', [builder.constant([value]), input]);
    const selection = roles.optional('mlp.selection');
    const logits = operators.exactLinear(input, roles.get('mlp.router'));
    const shares = routing(builder, logits, 2, design as ExpertDesign, {
      selection: selection && operators.tensor(selection),
      number,
    });
    const owners = builder.integers(expertOfNeurons(experts ?? []));
    return builder.add('Mul', [product, builder.add('Gather', [shares, owners], { axis: 2 })]);
  };
  addModule(operators, stream, experts && design ? routed() : product, roles, 'mlp.down');
}

/** Projects a module's result to the hidden size and adds it to the stream; some architectures normalise it first. */
function addModule(
  operators: WeightedOperators,
  stream: ResidualStream,
  value: string,
  roles: WeightNames,
  role: 'attention.output' | 'convolution.output' | 'mlp.down',
): void {
  const norm = roles.optional(`${role}.norm`);
  const bias = roles.optional(`${role}.bias`);
  if (norm) stream.add(operators.norm(operators.linear(value, roles.get(role), bias), norm), undefined);
  else stream.add(operators.linear(value, roles.get(role)), bias);
}

/**
 * The last `keep` positions (all for 0) through the final norm and the output matrix, which stays in the embedding's layout so that a tied
 * one is shared. Without `keep` there is one position, and logits [1, vocabulary] straight from the product: graph capture records no copies.
 */
function addLogits(
  { model, builder, operators, stream }: Scope,
  inputIds: string,
  keep: string | undefined,
  half: boolean,
): void {
  const { vocabulary, hiddenSize } = model.architecture.config;
  const roles = new WeightNames(model.checkpoint, model.architecture.headWeights());
  const normed = stream.normalised(roles.get('norm'));
  const rows = builder.add('Reshape', [
    keep === undefined ? normed : lastPositions(builder, normed, keep),
    builder.integers([-1, hiddenSize]),
  ]);
  const name = { name: 'logits' };
  const product = operators.project(rows, roles.get('projection'), keep === undefined && !half ? name : {});
  const whole = half ? builder.add('Cast', [product], { to: FLOAT32 }, keep === undefined ? name : {}) : product;
  if (keep === undefined) {
    builder.output(whole, 'float32', [1, vocabulary]);
    return;
  }
  const shape = builder.add(
    'Concat',
    [builder.add('Shape', [inputIds], { start: 0, end: 1 }), builder.integers([-1, vocabulary])],
    { axis: 0 },
  );
  builder.output(builder.add('Reshape', [whole, shape], {}, name), 'float32', [
    'batch_size',
    'kept_sequence_length',
    vocabulary,
  ]);
}

function lastPositions(builder: GraphBuilder, value: string, keep: string): string {
  const start = builder.add('Reshape', [builder.add('Neg', [keep]), builder.integers([1])]);
  return builder.add('Slice', [value, start, builder.integers([2 ** 53 - 1]), builder.integers([1])]);
}
