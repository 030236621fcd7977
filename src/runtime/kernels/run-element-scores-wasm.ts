import { MismatchError } from '../../errors.ts';
import { elementScoresModule, TILE_COLUMNS, TILE_ROWS } from './element-scores-wasm.ts';
import type { HelperThreads } from './helper-threads.ts';
import { type KernelCall, SharedKernels } from './shared-kernels.ts';

/** One weight W [outputs, inputs] of a layer Y = X W^T, by the names of X and of dL/dY; `axis` carries the channels: 0 outputs, 1 inputs. */
export interface ScoredMatrix {
  readonly name: string;
  readonly axis: 0 | 1;
  readonly outputs: number;
  readonly inputs: number;
  readonly input: string;
  readonly outputGradient: string;
}

/** Sums per channel over all windows. */
export interface ChannelTotals {
  readonly elementFirst: Float64Array;
  readonly elementSecond: Float64Array;
  readonly elementMixed: Float64Array;
}

/** Rows that one call works on: their gradients of 8 windows of 128 tokens fill a quarter of a usual second-level cache. */
const BLOCK_TILES = 16;
/** Windows that wait for one pass over the weights, at most, and what their activations may take. */
const WINDOWS = 8;
const ACTIVATION_BYTES = 64 << 20;

const FLOAT = 4;
const VECTOR = 16;
const up = (value: number, multiple: number) => Math.ceil(value / multiple) * multiple;

/** Where the panels of one activation lie: `windows` times `windowBytes` from `address`. */
interface Panels {
  readonly address: number;
  readonly lanes: 4 | 8;
  readonly width: number;
  readonly panels: number;
  readonly panelBytes: number;
  readonly windowBytes: number;
}

interface Place {
  readonly matrix: ScoredMatrix;
  readonly rows: number;
  readonly columns: number;
  readonly blocks: readonly { readonly tile: number; readonly tiles: number }[];
  readonly weight: number;
  readonly first: number;
  readonly second: number;
  /** Per window, row and lane (axis 0); per block, window and column (axis 1). */
  readonly absolute: number;
  readonly absoluteBytes: number;
}

/**
 * Element scores on the processor: `begin` a layer, `put` its activations window by window, `finish` it. Windows wait until one pass over the weights serves several.
 * Results depend neither on the number of threads nor on which of them does what.
 */
export class WasmElementScorer implements Disposable {
  readonly #kernels: SharedKernels;
  #places: readonly Place[] = [];
  #panels = new Map<string, Panels>();
  #tokens = 0;
  #capacity = 1;
  #staging = 0;
  #scale = 0;
  #waiting = 0;
  /** Windows that are done. */
  #windows = 0;
  #absolute = new Map<string, Float32Array[]>();

  constructor(helpers: HelperThreads | undefined) {
    this.#kernels = new SharedKernels(elementScoresModule, helpers);
  }

  get peakBytes(): number {
    return this.#kernels.peakBytes;
  }

  /** Bytes that a layer takes while it is scored, for windows of `tokens`. */
  static bytesFor(matrices: readonly ScoredMatrix[], tokens: number): number {
    return layOut(matrices, tokens, 0).end;
  }

  /** Starts a layer whose windows have `tokens` each. `weightOf` gives W, row by row. Throws DeviceError where the host has not enough memory. */
  begin(matrices: readonly ScoredMatrix[], tokens: number, weightOf: (name: string) => Float32Array): void {
    const start = this.#kernels.reserve(layOut(matrices, tokens, 0).end);
    const layout = layOut(matrices, tokens, start);
    this.#places = layout.places;
    this.#panels = layout.panels;
    this.#capacity = layout.capacity;
    this.#staging = layout.staging;
    this.#scale = layout.scale;
    this.#tokens = tokens;
    this.#waiting = 0;
    this.#windows = 0;
    this.#absolute = new Map(matrices.map(({ name }) => [name, []]));
    for (const { matrix, rows, columns, weight, first, second } of layout.places) {
      copyPadded(weightOf(matrix.name), matrix.inputs, this.#kernels.floats(weight, rows * columns), columns);
      this.#kernels.floats(first, rows * columns).fill(0);
      this.#kernels.floats(second, rows * columns).fill(0);
    }
  }

  /** Takes in one window: `values` gives [tokens, width] of each activation that the layer's matrices name. */
  async put(values: (name: string) => Float32Array): Promise<void> {
    for (const [name, { address, lanes, width, panels, panelBytes, windowBytes }] of this.#panels) {
      const pitch = panels * lanes;
      copyPadded(values(name), width, this.#kernels.floats(this.#staging, this.#tokens * pitch), pitch);
      this.#kernels.run([
        `pack${lanes}`,
        this.#staging,
        pitch * FLOAT,
        address + this.#waiting * windowBytes,
        panelBytes,
        panels,
        this.#tokens,
      ]);
    }
    this.#waiting++;
    if (this.#waiting === this.#capacity) await this.flush();
  }

  /** Sums of |w g_j| per channel of the windows that are done since the last call, by name, in their order. Up to eight windows wait until one pass serves them. */
  magnitudes(): ReadonlyMap<string, readonly Float32Array[]> {
    const found = this.#absolute;
    this.#absolute = new Map([...found.keys()].map((name) => [name, []]));
    return found;
  }

  /** What is summed of one matrix over the windows that are done: g ('first') or g^2 ('second'), [outputs, inputs]. It may be the kernel's own: read it before the next call. */
  gradientSums(name: string, order: 'first' | 'second'): Float32Array {
    const place = this.#placeOf(name);
    const padded = this.#kernels.floats(place[order], place.rows * place.columns);
    const { outputs, inputs } = place.matrix;
    return place.columns === inputs
      ? padded.subarray(0, outputs * inputs)
      : withoutPadding(padded, place.columns, place.matrix);
  }

  /** After `begin`: goes on from what `gradientSums` gave for the same matrices after `windows` windows. */
  restore(sums: (order: 'first' | 'second', name: string) => Float32Array | Float64Array, windows: number): void {
    this.#windows = windows;
    for (const { matrix, rows, columns, first, second } of this.#places) {
      for (const [order, address] of [
        ['first', first],
        ['second', second],
      ] as const)
        copyPadded(sums(order, matrix.name), matrix.inputs, this.#kernels.floats(address, rows * columns), columns);
    }
  }

  /** Ends the layer: the element metrics per channel, by weight. */
  async finish(): Promise<ReadonlyMap<string, ChannelTotals>> {
    await this.flush();
    this.#kernels.floats(this.#scale, 2).set([1 / Math.max(1, this.#windows), 0.5]);
    const calls = this.#places.flatMap((place): KernelCall[] => {
      const { matrix, rows, columns, blocks, weight, first, second, absolute } = place;
      this.#kernels.floats(absolute, place.absoluteBytes / FLOAT).fill(0);
      return blocks.map(({ tile, tiles }, block) => {
        const [row, bytes] = [tile * TILE_ROWS, columns * FLOAT];
        const matrices = [weight, first, second].map((address) => address + row * bytes);
        const sums =
          matrix.axis === 0 ? [absolute + row * VECTOR, rows * VECTOR] : [absolute + 3 * block * bytes, bytes];
        return [
          matrix.axis === 0 ? 'reduce-rows' : 'reduce-columns',
          ...matrices,
          bytes,
          this.#scale,
          ...sums,
          tiles * TILE_ROWS,
          columns / 4,
        ];
      });
    });
    await this.#kernels.share(calls);
    const totals = new Map<string, ChannelTotals>();
    for (const place of this.#places) {
      const [elementFirst, elementSecond, elementMixed] = [0, 1, 2].map((order) =>
        this.#channelSums(place, order, 3),
      ) as [Float64Array, Float64Array, Float64Array];
      totals.set(place.matrix.name, { elementFirst, elementSecond, elementMixed });
    }
    return totals;
  }

  /** After the last window: the sums over windows of w g ('first') or (w g)^2 ('second'), [outputs, inputs] of one weight. */
  async sums(name: string, order: 'first' | 'second'): Promise<Float32Array> {
    await this.flush();
    const place = this.#placeOf(name);
    const { matrix, columns } = place;
    const [weights, gradients] = [place.weight, place[order]].map((address) =>
      this.#kernels.floats(address, place.rows * columns),
    ) as [Float32Array, Float32Array];
    const result = new Float32Array(matrix.outputs * matrix.inputs);
    for (let row = 0; row < matrix.outputs; row++) {
      for (let column = 0; column < matrix.inputs; column++) {
        const at = row * columns + column;
        const w = weights[at] as number;
        result[row * matrix.inputs + column] = (order === 'first' ? w : w * w) * (gradients[at] as number);
      }
    }
    return result;
  }

  [Symbol.dispose](): void {
    this.#kernels[Symbol.dispose]();
  }

  #placeOf(name: string): Place {
    const place = this.#places.find(({ matrix }) => matrix.name === name);
    if (!place) throw new MismatchError(`The layer that is scored has no matrix "${name}".`);
    return place;
  }

  /** Ends the windows that wait. */
  async flush(): Promise<void> {
    const windows = this.#waiting;
    if (windows === 0) return;
    this.#waiting = 0;
    this.#windows += windows;
    await this.#kernels.share(this.#places.flatMap((place) => this.#accumulateCalls(place, windows)));
    for (const place of this.#places) {
      const sums = this.#absolute.get(place.matrix.name);
      for (let window = 0; window < windows; window++)
        sums?.push(new Float32Array(this.#channelSums(place, window, windows)));
    }
  }

  #accumulateCalls(place: Place, windows: number): KernelCall[] {
    const { matrix, rows, columns, blocks, weight, first, second, absolute } = place;
    const [x, dy] = [this.#panels.get(matrix.input), this.#panels.get(matrix.outputGradient)];
    if (!x || !dy) return [];
    this.#kernels.floats(absolute, place.absoluteBytes / FLOAT).fill(0);
    const pitch = columns * FLOAT;
    return blocks.map(({ tile, tiles }, block) => {
      const row = tile * TILE_ROWS;
      const matrices = [weight, first, second].map((address) => address + row * pitch);
      const sums =
        matrix.axis === 0 ? [absolute + row * VECTOR, rows * VECTOR] : [absolute + block * windows * pitch, pitch];
      const activations = [
        dy.address + tile * dy.panelBytes,
        dy.windowBytes,
        dy.panelBytes,
        x.address,
        x.windowBytes,
        x.panelBytes,
        this.#tokens,
        windows,
      ];
      return [
        matrix.axis === 0 ? 'accumulate-rows' : 'accumulate-columns',
        ...activations,
        ...matrices,
        pitch,
        ...sums,
        tiles,
        columns / TILE_COLUMNS,
      ];
    });
  }

  /** Sums per channel of one of `orders` results, over lanes (axis 0) or blocks (axis 1), in that order. */
  #channelSums(
    { matrix, rows, columns, blocks, absolute, absoluteBytes }: Place,
    order: number,
    orders: number,
  ): Float64Array {
    const values = this.#kernels.floats(absolute, absoluteBytes / FLOAT);
    const [channels, parts, stride, start, step] =
      matrix.axis === 0
        ? [matrix.outputs, 4, 1, order * rows * 4, 4]
        : [matrix.inputs, blocks.length, orders * columns, order * columns, 1];
    const sums = new Float64Array(channels);
    for (let part = 0; part < parts; part++) {
      for (let channel = 0; channel < channels; channel++)
        sums[channel] = (sums[channel] as number) + (values[start + channel * step + part * stride] as number);
    }
    return sums;
  }
}

function withoutPadding(padded: Float32Array, columns: number, { outputs, inputs }: ScoredMatrix): Float32Array {
  const values = new Float32Array(outputs * inputs);
  for (let row = 0; row < outputs; row++)
    values.set(padded.subarray(row * columns, row * columns + inputs), row * inputs);
  return values;
}

/** Copies rows of `width` values into rows of `pitch`; the rest of each, and of the target, becomes zero. */
function copyPadded(values: Float32Array | Float64Array, width: number, target: Float32Array, pitch: number): void {
  if (width === pitch) {
    target.set(values);
    target.fill(0, values.length);
    return;
  }
  target.fill(0);
  for (let row = 0; row * width < values.length; row++)
    target.set(values.subarray(row * width, (row + 1) * width), row * pitch);
}

function layOut(matrices: readonly ScoredMatrix[], tokens: number, start: number) {
  let end = start;
  const take = (bytes: number) => {
    const address = end;
    end += up(bytes, 64);
    return address;
  };
  const activations = new Map<string, { readonly lanes: 4 | 8; readonly width: number }>();
  for (const { input, inputs, outputGradient, outputs } of matrices) {
    activations.set(input, { lanes: TILE_COLUMNS, width: inputs });
    activations.set(outputGradient, { lanes: TILE_ROWS, width: outputs });
  }
  const shapes = [...activations].map(([name, { lanes, width }]) => ({
    name,
    lanes,
    width,
    panels: Math.ceil(width / lanes),
    panelBytes: tokens * lanes * FLOAT,
  }));
  const perWindow = shapes.reduce((sum, { panels, panelBytes }) => sum + panels * panelBytes, 0);
  const capacity = Math.max(1, Math.min(WINDOWS, Math.floor(ACTIVATION_BYTES / perWindow)));
  const scale = take(2 * FLOAT);
  const staging = take(Math.max(0, ...shapes.map(({ panels, panelBytes }) => panels * panelBytes)));
  const panels = new Map<string, Panels>();
  for (const { name, ...shape } of shapes) {
    const windowBytes = shape.panels * shape.panelBytes;
    panels.set(name, { ...shape, windowBytes, address: take(windowBytes * capacity) });
  }
  const places = matrices.map((matrix): Place => {
    const [rows, columns] = [up(matrix.outputs, TILE_ROWS), up(matrix.inputs, TILE_COLUMNS)];
    const tiles = rows / TILE_ROWS;
    const blocks = Array.from({ length: Math.ceil(tiles / BLOCK_TILES) }, (_, block) => ({
      tile: block * BLOCK_TILES,
      tiles: Math.min(BLOCK_TILES, tiles - block * BLOCK_TILES),
    }));
    const bytes = rows * columns * FLOAT;
    // Room for the windows that wait, and for the three sums of `finish`.
    const absoluteBytes = Math.max(3, capacity) * (matrix.axis === 0 ? rows * VECTOR : blocks.length * columns * FLOAT);
    return {
      matrix,
      rows,
      columns,
      blocks,
      weight: take(bytes),
      first: take(bytes),
      second: take(bytes),
      absolute: take(absoluteBytes),
      absoluteBytes,
    };
  });
  return { places, panels, capacity, staging, scale, end };
}
