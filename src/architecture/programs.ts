import { MissingError, UsageError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { differentiate } from '../passes/differentiate.ts';
import type { DeviceTensor, HostTensor, Runtime, Session } from '../runtime/runtime.ts';
import type { Architecture, LayerKind, LayerPositions, LayerWidths } from './architecture.ts';
import { mixerOf, widthBindings } from './block-weights.ts';
import { HEAD_CONSTANTS } from './ends.ts';
import { EXAMPLE_TOKENS, LONGEST_RECURRENCE } from './gated-delta-rule.ts';
import { inPrecision, narrowed, type Precision, widened } from './precision.ts';
import { causalMask, rotaryTables } from './rope.ts';
import type { DeviceWeights } from './weights.ts';

/** Inputs of a block that depend only on the number of tokens and on how its layer sees positions. */
export interface Positions extends Disposable {
  readonly cosine: DeviceTensor;
  readonly sine: DeviceTensor;
  readonly mask: DeviceTensor;
}

const FEW_TOKENS = 5;

/** Sizes for tracing the couplings of a layer: its own widths, and few tokens, since what becomes of those couples no weights. */
export function traceBindings(architecture: Architecture, widths: LayerWidths): Record<string, number> {
  return {
    ...exampleBindings(architecture),
    tokens: FEW_TOKENS,
    ...widthBindings(architecture.config, widths),
  };
}

/** Example sizes for analysis: distinct, so that no two symbols are mistaken for each other. */
export function exampleBindings(architecture: Architecture): Record<string, number> {
  const { headDimension, queryHeads, keyValueHeads } = architecture.config;
  const heads = 3;
  const keyChannels = heads * headDimension;
  return {
    batch: 2,
    tokens: architecture.config.recurrence ? EXAMPLE_TOKENS : FEW_TOKENS,
    rows: 7,
    neurons: 11,
    keyChannels,
    queryChannels: keyChannels * (queryHeads / keyValueHeads),
    queryHeads: heads * (queryHeads / keyValueHeads),
    channels: 13,
    experts: 17,
  };
}

/**
 * The compiled programs of one architecture on one runtime. Each is compiled at first use, once: the same session serves every layer
 * and every pruned width (docs/architecture.md section 1.3).
 */
export class Programs implements Disposable {
  readonly runtime: Runtime;
  readonly architecture: Architecture;
  /** Of embedding and blocks; the head computes in single precision always. */
  readonly precision: Precision;
  readonly #sessions = new Map<string, Promise<Session>>();
  readonly #positions = new Map<LayerPositions, Map<number, Positions>>();

  constructor(runtime: Runtime, architecture: Architecture, precision: Precision = 'f32') {
    this.runtime = runtime;
    this.precision = precision;
    this.architecture = architecture;
  }

  /** A session by name, compiled from `emit()` the first time. */
  session(name: string, emit: () => Graph): Promise<Session> {
    let session = this.#sessions.get(name);
    if (!session) {
      session = this.runtime.createSession(emit(), { label: name });
      this.#sessions.set(name, session);
      session.catch(() => this.#sessions.delete(name));
    }
    return session;
  }

  /** A graph that reads states and weights, in the precision of these programs. */
  inPrecision(graph: Graph): Graph {
    return inPrecision(graph, this.precision);
  }

  /** States on the host, in float32 whatever they are on the device. */
  async readStates(states: DeviceTensor): Promise<HostTensor> {
    return widened(await this.runtime.read(states));
  }

  /** Puts float32 states on the device. */
  uploadStates(states: HostTensor): DeviceTensor {
    return this.runtime.upload(narrowed(states, this.precision));
  }

  /** Token ids, one equally long window per row -> hidden [windows, tokens, hiddenSize]. `positions` [tokens]: other ones than from 0 on. */
  async embed(
    weights: DeviceWeights,
    windows: readonly ArrayLike<number>[],
    positions?: ArrayLike<number>,
  ): Promise<DeviceTensor> {
    const session = await this.session('embed', () => this.inPrecision(this.architecture.embed()));
    const tokens = windows[0]?.length ?? 0;
    const ids = new BigInt64Array(windows.length * tokens);
    windows.forEach((window, row) => {
      for (let token = 0; token < tokens; token++) ids[row * tokens + token] = BigInt(window[token] ?? 0);
    });
    using tokenIds = this.runtime.upload({ dataType: 'int64', shape: [windows.length, tokens], data: ids });
    if (!this.architecture.design.learnedPositions)
      return singleOutput(await session.run({ ...weights.tensors, tokenIds }), 'hidden');
    const { maximumPositions } = this.architecture.config;
    const places = BigInt64Array.from({ length: tokens }, (_, token) => BigInt(positions?.[token] ?? token));
    if (places.some((place) => place >= maximumPositions)) throw this.#tooLong(tokens);
    using positionIds = this.runtime.upload({ dataType: 'int64', shape: [tokens], data: places });
    return singleOutput(await session.run({ ...weights.tensors, tokenIds, positionIds }), 'hidden');
  }

  /** The block of one layer: hidden [batch, tokens, hiddenSize] -> the same shape. `positions`: other ones than one causal window per row. */
  async block(
    weights: DeviceWeights,
    hidden: DeviceTensor,
    layer: number,
    positions?: Omit<Positions, typeof Symbol.dispose>,
  ): Promise<DeviceTensor> {
    const session = await this.blockSession(layer);
    const shared = this.shared(hidden.shape[1] ?? 0, layer, positions);
    return singleOutput(await session.run({ ...weights.tensors, hidden, ...shared }), 'output');
  }

  /** The session of a layer's block. */
  blockSession(layer: number): Promise<Session> {
    const kind = this.architecture.kind(layer);
    return this.session(programName('block', kind), () => this.inPrecision(this.architecture.block(kind)));
  }

  /** What the block of a layer reads beside states and weights, for windows of `tokens`. `positions`: other ones than one causal window per row. */
  shared(
    tokens: number,
    layer: number,
    positions?: Omit<Positions, typeof Symbol.dispose>,
  ): Readonly<Record<string, DeviceTensor>> {
    const mixer = mixerOf(this.architecture.kind(layer));
    if (mixer === 'recurrence' && tokens > LONGEST_RECURRENCE) throw this.#tooLong(tokens, LONGEST_RECURRENCE);
    if (mixer !== 'attention') return {};
    const { cosine, sine, mask } = positions ?? this.positions(tokens, layer);
    return { cosine, sine, mask };
  }

  /** Losses [rows] in nats of hidden rows against targets. */
  async losses(weights: DeviceWeights, hidden: HostTensor, targets: BigInt64Array): Promise<Float32Array> {
    const session = await this.session('head', () => this.architecture.head());
    using rows = this.runtime.upload(hidden);
    using ids = this.runtime.upload({ dataType: 'int64', shape: [targets.length], data: targets });
    using losses = singleOutput(
      await session.run({ ...weights.tensors, hidden: rows, targets: ids }, { outputs: ['losses'] }),
      'losses',
    );
    return (await this.runtime.read(losses)).data as Float32Array;
  }

  /** The same losses [rows], and the logits [rows, vocabulary] that they come from, by one run; the logits stay on the device and are the caller's to dispose. */
  async lossesAndLogits(
    weights: DeviceWeights,
    hidden: HostTensor,
    targets: BigInt64Array,
  ): Promise<{ readonly losses: Float32Array; readonly logits: DeviceTensor }> {
    const session = await this.session('head', () => this.architecture.head());
    using rows = this.runtime.upload(hidden);
    using ids = this.runtime.upload({ dataType: 'int64', shape: [targets.length], data: targets });
    const outputs = await session.run(
      { ...weights.tensors, hidden: rows, targets: ids },
      { outputs: ['losses', 'logits'] },
    );
    using losses = singleOutput(outputs, 'losses');
    return {
      losses: (await this.runtime.read(losses)).data as Float32Array,
      logits: singleOutput(outputs, 'logits'),
    };
  }

  /** Logits [rows, vocabulary] of hidden rows. */
  async logits(weights: DeviceWeights, hidden: HostTensor): Promise<Float32Array> {
    using logits = await this.deviceLogits(weights, hidden);
    return (await this.runtime.read(logits)).data as Float32Array;
  }

  /** The same on the device; the caller's to dispose. */
  async deviceLogits(weights: DeviceWeights, hidden: HostTensor): Promise<DeviceTensor> {
    const session = await this.session('head', () => this.architecture.head());
    const rows = hidden.shape[0] ?? 0;
    using input = this.runtime.upload(hidden);
    using targets = this.runtime.upload({ dataType: 'int64', shape: [rows], data: new BigInt64Array(rows) });
    return singleOutput(
      await session.run({ ...weights.tensors, hidden: input, targets }, { outputs: ['logits'] }),
      'logits',
    );
  }

  /** Losses [rows] against targets, and the probability of every token [rows, vocabulary]. */
  async probabilities(
    weights: DeviceWeights,
    hidden: HostTensor,
    targets: BigInt64Array,
  ): Promise<{ losses: Float32Array; probabilities: Float32Array }> {
    const { vocabulary } = this.architecture.config;
    const session = await this.session('head probabilities', () => {
      const head = this.architecture.head();
      const builder = new GraphBuilder('head probabilities', head);
      builder.output('losses', 'float32', ['rows']);
      builder.output(builder.add('Softmax', ['logits']), 'float32', ['rows', vocabulary], 'probabilities');
      return builder.build();
    });
    using rows = this.runtime.upload(hidden);
    using ids = this.runtime.upload({ dataType: 'int64', shape: [targets.length], data: targets });
    const outputs = await session.run({ ...weights.tensors, hidden: rows, targets: ids });
    using losses = singleOutput(outputs, 'losses');
    using probabilities = singleOutput(outputs, 'probabilities');
    return {
      losses: (await this.runtime.read(losses)).data as Float32Array,
      probabilities: (await this.runtime.read(probabilities)).data as Float32Array,
    };
  }

  /** The gradient with respect to the hidden rows of what has the gradient `logitsGradient` [rows, vocabulary] with respect to their logits. */
  async logitsBackward(
    weights: DeviceWeights,
    hidden: HostTensor,
    logitsGradient: Float32Array,
  ): Promise<Float32Array> {
    const session = await this.session('head gradient from logits', () =>
      differentiate(this.architecture.head(), {
        seeds: { logits: 'logitsGradient' },
        wrt: ['hidden'],
        bindings: exampleBindings(this.architecture),
      }),
    );
    const rows = hidden.shape[0] ?? 0;
    using input = this.runtime.upload(hidden);
    using targets = this.runtime.upload({ dataType: 'int64', shape: [rows], data: new BigInt64Array(rows) });
    using seed = this.runtime.upload({
      dataType: 'float32',
      shape: [rows, this.architecture.config.vocabulary],
      data: logitsGradient,
    });
    const feeds: Record<string, DeviceTensor> = { ...weights.tensors, hidden: input, targets, logitsGradient: seed };
    const named = Object.fromEntries(session.inputNames.map((name) => [name, singleOutput(feeds, name)]));
    using gradient = singleOutput(await session.run(named), 'gradient/hidden');
    return (await this.runtime.read(gradient)).data as Float32Array;
  }

  /** Losses [rows], and the gradient of sum(losses * seeds) with respect to the hidden rows. */
  async lossGradient(
    weights: DeviceWeights,
    hidden: HostTensor,
    targets: BigInt64Array,
    seeds: Float32Array,
  ): Promise<{ losses: Float32Array; gradient: Float32Array }> {
    const session = await this.session('head gradient', () =>
      differentiate(this.architecture.head(), {
        seeds: { losses: 'seed' },
        wrt: ['hidden'],
        taps: ['losses'],
        constants: [...HEAD_CONSTANTS],
        bindings: exampleBindings(this.architecture),
      }),
    );
    using rows = this.runtime.upload(hidden);
    using ids = this.runtime.upload({ dataType: 'int64', shape: [targets.length], data: targets });
    using seed = this.runtime.upload({ dataType: 'float32', shape: [seeds.length], data: seeds });
    const outputs = await session.run({ ...weights.tensors, hidden: rows, targets: ids, seed });
    using losses = singleOutput(outputs, 'losses');
    using gradient = singleOutput(outputs, 'gradient/hidden');
    return {
      losses: (await this.runtime.read(losses)).data as Float32Array,
      gradient: (await this.runtime.read(gradient)).data as Float32Array,
    };
  }

  /**
   * Rotary tables and mask of a layer for windows of `tokens`; kept and owned by the programs, shared by layers that see positions alike.
   * Throws UsageError for windows longer than the model's longest sequence.
   */
  positions(tokens: number, layer: number): Positions {
    if (tokens > this.architecture.config.maximumPositions) throw this.#tooLong(tokens);
    const kind = this.architecture.positions(layer);
    const ofKind = this.#positions.get(kind) ?? new Map<number, Positions>();
    this.#positions.set(kind, ofKind);
    const known = ofKind.get(tokens);
    if (known) return known;
    const { cosine, sine } = rotaryTables(kind.inverseFrequencies, tokens, 0, kind.magnitude);
    const upload = (data: Float32Array, columns: number) =>
      this.runtime.upload({ dataType: 'float32', shape: [tokens, columns], data });
    const half = kind.inverseFrequencies.length;
    const tensors = [
      upload(cosine, half),
      upload(sine, half),
      upload(causalMask(tokens, kind.window), tokens),
    ] as const;
    const positions: Positions = {
      cosine: tensors[0],
      sine: tensors[1],
      mask: tensors[2],
      [Symbol.dispose]: () => {
        for (const tensor of tensors) tensor.dispose();
      },
    };
    ofKind.set(tokens, positions);
    return positions;
  }

  #tooLong(tokens: number, longest = this.architecture.config.maximumPositions): UsageError {
    const holder = longest === this.architecture.config.maximumPositions ? 'the model holds' : 'recurrent layers take';
    return new UsageError(
      `A window of ${tokens} tokens was asked for; ${holder} ${longest}. Ask for windows of at most ${longest}.`,
    );
  }

  dispose(): void {
    for (const ofKind of this.#positions.values()) for (const positions of ofKind.values()) positions[Symbol.dispose]();
    this.#positions.clear();
    for (const session of this.#sessions.values()) void session.then((ready) => ready.dispose());
    this.#sessions.clear();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** What a program of layers is called for those of one kind. */
export function programName(name: string, kind: LayerKind): string {
  return kind === 'attention' ? name : `${name} (${kind})`;
}

/** The named output of a run. */
export function singleOutput(outputs: Record<string, DeviceTensor>, name: string): DeviceTensor {
  const tensor = outputs[name];
  if (!tensor) throw new MissingError(`The program gave no output ${name}; it has ${Object.keys(outputs).join(', ')}.`);
  return tensor;
}
