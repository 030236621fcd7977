import type {
  DecoderDesign,
  LayerPositions,
  LayerWidths,
  ModelConfig,
  WeightBinding,
} from '../architecture/architecture.ts';
import type { Model } from '../architecture/model.ts';
import { rotaryTables } from '../architecture/rope.ts';
import { UnsupportedError, UsageError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { allowsFixedCache, type RotaryTables, rotatesInside } from './attention.ts';
import { convolutionStates } from './convolution.ts';
import { EXPORT_FORMATS, type ExportDataType } from './dtypes.ts';
import { areGrouped } from './group-blocks.ts';
import { addLayer, type DecoderScope, scaledBy } from './layer.ts';
import { recurrenceStates } from './recurrence.ts';
import { ResidualStream } from './residual-stream.ts';
import { sensitiveTensors } from './sensitive.ts';
import { givenLengths, sequenceLengths } from './sequence-lengths.ts';
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

/** Whether a decoder of single tokens can be built: attention rotates by itself, no layer convolves or has a recurrence, and the embedding is not in blocks (WebGPU looks up no bytes). */
export function allowsSingleToken({ architecture }: Model, dataType: ExportDataType): boolean {
  const { config } = architecture;
  const { learnedPositions, normAfterRotation } = architecture.design;
  const isInside = config.layerWidths.every((_, layer) => {
    const { inverseFrequencies } = architecture.positions(layer);
    return !turns(inverseFrequencies)
      ? allowsFixedCache(config.headDimension)
      : rotatesInside(config.headDimension, { half: inverseFrequencies.length });
  });
  return (
    isInside &&
    !learnedPositions &&
    !normAfterRotation &&
    convolutionStates(config).length === 0 &&
    recurrenceStates(config).length === 0 &&
    EXPORT_FORMATS[dataType].embeddingBits === undefined
  );
}

/** Whether a rotation turns anything: layers without positions have frequencies of zero. */
const turns = (inverseFrequencies: Float64Array) => inverseFrequencies.some((frequency) => frequency !== 0);

/**
 * The static decoder of a (pruned) model as transformers.js expects it: `input_ids` int64 [batch, sequence], `attention_mask` int64
 * [batch, past + sequence], `num_logits_to_keep` int64 [] (0: all), `past_key_values.{i}.key|value` [batch, keyValueHeads_i, past,
 * headDimension] -> `logits` float32 [batch, kept, vocabulary], `present.{i}.key|value`. Sequences of a batch are padded on the right.
 * A layer that convolves has `past_conv.{i}` [batch, channels_i, kernel] -> `present_conv.{i}` for its cache; there the sequences of a batch must be equally long.
 * One with a recurrence has that of its own convolution, `past_conv.{i}` [batch, mixed channels, kernel - 1], and its state `past_recurrent.{i}` [batch, valueHeads, keyDimension, valueDimension].
 * Layers have their own widths; a removed layer or module leaves no nodes and no cache. A tied embedding is stored once.
 * Throws UnsupportedError when no attention is left, UsageError for more positions than the model has.
 */
export function decoderGraph(model: Model, options: DecoderOptions = {}): Decoder {
  const format = EXPORT_FORMATS[options.dataType ?? 'f32'];
  const { config, design } = model.architecture;
  const builder = new GraphBuilder('decoder');
  const weights = new WeightFile(options.location ?? `${format.file}_data`);
  const isGrouped = (bindings: readonly WeightBinding[], bits: 4 | 8) => areGrouped(model.checkpoint, bindings, bits);
  const norms = { epsilon: config.normEpsilon, kind: design.norm };
  const operators = new WeightedOperators(builder, weights, format, norms, {
    isGrouped,
    inEightBits: sensitiveTensors(model, options.dataType),
  });

  const single = options.singleToken;
  const inputIds = builder.input('input_ids', 'int64', single ? [1, 1] : ['batch_size', 'sequence_length']);
  const attentionMask = single
    ? undefined
    : builder.input('attention_mask', 'int64', ['batch_size', 'total_sequence_length']);
  const keep = single ? undefined : builder.input('num_logits_to_keep', 'int64', []);
  const givens = attentionMask === undefined ? givenLengths(builder) : undefined;
  const caches = attendingLayers(config.layerWidths);
  const states = [...convolutionStates(config), ...recurrenceStates(config)];
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

  const tables = new WeightNames(model.checkpoint, model.architecture.embedWeights());
  const rows = operators.embed(inputIds, tables.get('embedding'));
  const scaled = scaledBy(builder, rows, design.embeddingScale);
  const lengths = givens ?? sequenceLengths(builder, inputIds, attentionMask ?? '');
  const placed = () =>
    builder.add('Add', [
      scaled,
      builder.add('Gather', [operators.tensor(tables.get('positions')), lengths.positions()], { axis: 0 }),
    ]);
  const embedded = design.learnedPositions ? placed() : scaled;
  const scope: DecoderScope = {
    model,
    builder,
    operators,
    stream: new ResidualStream(builder, operators, embedded),
    lengths,
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
  const inPairs = model.architecture.design.rotation === 'pairs';
  return (layerPositions: LayerPositions): RotaryTables | undefined => {
    const { inverseFrequencies, magnitude } = layerPositions;
    if (!turns(inverseFrequencies)) return undefined;
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
    const tables = known.get(key) ?? { cosine: add('cosine'), sine: add('sine'), half, inPairs };
    known.set(key, tables);
    return tables;
  };
}

/**
 * The last `keep` positions (all for 0) through the final norm and the output matrix, which stays in the embedding's layout so that a tied
 * one is shared. Without `keep` there is one position, and logits [1, vocabulary] straight from the product: graph capture records no copies.
 */
function addLogits(
  { model, builder, operators, stream }: DecoderScope,
  inputIds: string,
  keep: string | undefined,
  half: boolean,
): void {
  const { config, design } = model.architecture;
  const { vocabulary, hiddenSize } = config;
  const roles = new WeightNames(model.checkpoint, model.architecture.headWeights());
  const normed = stream.normalised({ weight: roles.get('norm'), bias: roles.optional('norm.bias') });
  const rows = builder.add('Reshape', [
    keep === undefined ? normed : lastPositions(builder, normed, keep),
    builder.integers([-1, hiddenSize]),
  ]);
  const name = { name: 'logits' };
  const isShaped = design.logitScale !== 1 || design.logitCap !== undefined;
  const last = keep === undefined && !isShaped;
  const bias = roles.optional('projection.bias');
  const product = operators.project(rows, roles.get('projection'), bias, last && !half ? name : {});
  const plain = half ? builder.add('Cast', [product], { to: FLOAT32 }, last ? name : {}) : product;
  const whole = isShaped ? shapedLogits(builder, plain, design, keep === undefined ? name : {}) : plain;
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

/** Logits [rows, vocabulary] times their scale, and bent below their cap. */
function shapedLogits(
  builder: GraphBuilder,
  logits: string,
  { logitScale, logitCap }: DecoderDesign,
  name: { readonly name?: string },
): string {
  const times = (value: string, factor: number, options = {}) =>
    builder.add('Mul', [value, builder.constant([factor])], {}, options);
  if (logitCap === undefined) return times(logits, logitScale, name);
  return times(builder.add('Tanh', [times(logits, logitScale / logitCap)]), logitCap, name);
}

function lastPositions(builder: GraphBuilder, value: string, keep: string): string {
  const start = builder.add('Reshape', [builder.add('Neg', [keep]), builder.integers([1])]);
  return builder.add('Slice', [value, start, builder.integers([2 ** 53 - 1]), builder.integers([1])]);
}
