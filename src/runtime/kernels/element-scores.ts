import type { Kernel } from './kernel.ts';

/** Sizes of one linear layer Y = X W^T over a batch of calibration windows. */
export interface ElementScoreSizes {
  readonly windows: number;
  /** Tokens of each window; all windows are equally long. */
  readonly tokens: number;
  readonly inputs: number;
  readonly outputs: number;
}

export interface ElementScoreOptions {
  readonly sizes: ElementScoreSizes;
  /** Which axis of W carries the groups: 0 rows (outputs), 1 columns (inputs). Sums of magnitudes are taken over the other one. */
  readonly axis: 0 | 1;
  /**
   * `sums`: adds to A and S in the buffers `first` and `second`, for windows that come in several batches.
   * `reductions`: the batch is everything; A and S are reduced at once and never written.
   */
  readonly keep: 'sums' | 'reductions';
  /** X, dY and W are float16, and dY is to be multiplied by the number in the buffer `inverseScale`. Sums are float32 all the same. */
  readonly half?: boolean;
}

/** A workgroup owns a square of W with this side; each of its 8 x 8 threads owns 4 x 4 weights. */
const TILE = 32;
/** Tokens held in workgroup memory at once. */
const STEP = 16;

/** Rows that `reductions` adds after those of the windows: elementFirst, elementSecond, elementMixed. */
export const REDUCTION_ROWS = 3;

/** Rows of `partial` and of the totals: one per window, and those of `reductions`. */
export function totalRows({ sizes, keep }: ElementScoreOptions): number {
  return sizes.windows + (keep === 'reductions' ? REDUCTION_ROWS : 0);
}

/** Channels that are scored: the length of the grouped axis. */
export function channelCount({ sizes, axis }: ElementScoreOptions): number {
  return axis === 0 ? sizes.outputs : sizes.inputs;
}

/** Tiles along the axis that is summed over. */
export function tileCount({ sizes, axis }: ElementScoreOptions): number {
  return Math.ceil((axis === 0 ? sizes.inputs : sizes.outputs) / TILE);
}

/**
 * Element scores of a weight W [outputs, inputs] without its gradient in memory (docs/method.md section 2).
 *
 * Reads X [windows, tokens, inputs], dY [windows, tokens, outputs] and W. Per window j: the tile of dW_j = dY_j^T X_j grows in registers while tokens
 * pass through workgroup memory; m_j = W * dW_j elementwise; A += m_j, S += m_j^2; and |m_j| is summed over the tile into `partial`
 * [rows, tiles, channels], one row per window. With `reductions`, three more rows hold sum |A/n|, sum S/n and sum |A/n - S/2n| of the tile, n = windows.
 *
 * One pass over W; X and dY are read once per tile of the other axis. Bound by arithmetic (2 * windows * tokens * inputs * outputs) from some 64 tokens on.
 * All sums are float32 and in a fixed order (tokens, then windows, then threads, then tiles in `sumTilesKernel`): two runs give the same bits.
 */
export function elementScoresKernel(options: ElementScoreOptions): Kernel {
  const { sizes, axis, keep, half = false } = options;
  const vectorised = sizes.inputs % 4 === 0 && sizes.outputs % 4 === 0;
  return {
    label: `element scores, axis ${axis}, ${keep}${vectorised ? '' : ', unaligned'}${half ? ', half precision' : ''}`,
    code: elementScoresCode(axis, keep, vectorised, half),
    uniforms: [sizes.windows, sizes.tokens, sizes.inputs, sizes.outputs],
    buffers: [
      ...['input', 'outputGradient', 'weight', 'partial'],
      ...(keep === 'sums' ? ['first', 'second'] : []),
      ...(half ? ['inverseScale'] : []),
    ],
    workgroups: [Math.ceil(sizes.inputs / TILE), Math.ceil(sizes.outputs / TILE), 1],
  };
}

/** Adds the tiles of `partial` [rows, tiles, channels] in their order: `totals` [rows, channels]. One thread per total. */
export function sumTilesKernel(options: ElementScoreOptions): Kernel {
  const [rows, tiles, channels] = [totalRows(options), tileCount(options), channelCount(options)];
  return {
    label: 'sum of tiles',
    code: SUM_TILES,
    uniforms: [rows, tiles, channels],
    buffers: ['partial', 'totals'],
    workgroups: [Math.ceil(channels / 64), rows, 1],
  };
}

const SUM_TILES = /* wgsl */ `
struct Sizes { rows: u32, tiles: u32, channels: u32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read_write> totals: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let channel = id.x;
  if (channel >= sizes.channels) { return; }
  var total = 0.0;
  for (var tile = 0u; tile < sizes.tiles; tile++) {
    total += partial[(id.y * sizes.tiles + tile) * sizes.channels + channel];
  }
  totals[id.y * sizes.channels + channel] = total;
}
`;

/** Reads or writes four neighbours of a row at once; vectors where rows are whole vectors, otherwise one by one within the row. */
function access(name: string, vectorised: boolean, writes: boolean): string {
  const load = vectorised
    ? `fn load_${name}(row: u32, column: u32, width: u32) -> vec4f {
  if (column >= width) { return vec4f(); }
  return vec4f(${name}[(row * width + column) / 4]);
}`
    : `fn load_${name}(row: u32, column: u32, width: u32) -> vec4f {
  var four = vec4f();
  for (var k = 0u; k < 4; k++) { if (column + k < width) { four[k] = f32(${name}[row * width + column + k]); } }
  return four;
}`;
  const store = vectorised
    ? `fn add_${name}(row: u32, column: u32, width: u32, four: vec4f) {
  if (column < width) { ${name}[(row * width + column) / 4] += four; }
}`
    : `fn add_${name}(row: u32, column: u32, width: u32, four: vec4f) {
  for (var k = 0u; k < 4; k++) { if (column + k < width) { ${name}[row * width + column + k] += four[k]; } }
}`;
  return writes ? store : load;
}

function elementScoresCode(axis: 0 | 1, keep: ElementScoreOptions['keep'], vectorised: boolean, half: boolean): string {
  const element = vectorised ? 'vec4f' : 'f32';
  const read = half ? (vectorised ? 'vec4h' : 'f16') : element;
  const sums = keep === 'sums';
  const storage = (binding: number, mode: string, name: string, type = element) =>
    `@group(0) @binding(${binding}) var<storage, ${mode}> ${name}: array<${type}>;`;
  return /* wgsl */ `${half ? 'enable f16;' : ''}
struct Sizes { windows: u32, tokens: u32, inputs: u32, outputs: u32 }
@group(0) @binding(0) var<uniform> sizes: Sizes;
${storage(1, 'read', 'input', read)}
${storage(2, 'read', 'outputGradient', read)}
${storage(3, 'read', 'weight', read)}
${storage(4, 'read_write', 'partial', 'f32')}
${sums ? `${storage(5, 'read_write', 'first')}\n${storage(6, 'read_write', 'second')}` : ''}
${half ? storage(sums ? 7 : 5, 'read', 'inverseScale', 'f32') : ''}

// [token][vector]: ${STEP} tokens of the tile's ${TILE} outputs and ${TILE} inputs.
var<workgroup> gradients: array<vec4f, ${(STEP * TILE) / 4}>;
var<workgroup> activations: array<vec4f, ${(STEP * TILE) / 4}>;
// [channel][thread]
var<workgroup> magnitudes: array<f32, ${TILE * 8}>;

${['input', 'outputGradient', 'weight'].map((name) => access(name, vectorised, false)).join('\n')}
${sums ? ['first', 'second'].map((name) => access(name, vectorised, true)).join('\n') : ''}

/** Sums non-negative 4 x 4 blocks of all threads over the ${axis === 0 ? 'columns' : 'rows'} of the tile into one row of \`partial\`. */
fn write_sums(row: u32, block: array<vec4f, 4>, group: vec2u, local: vec2u, index: u32) {
  ${
    axis === 0
      ? `for (var r = 0u; r < 4; r++) { magnitudes[(local.y * 4 + r) * 8 + local.x] = dot(block[r], vec4f(1)); }`
      : `let column = block[0] + block[1] + block[2] + block[3];
  for (var c = 0u; c < 4; c++) { magnitudes[(local.x * 4 + c) * 8 + local.y] = column[c]; }`
  }
  workgroupBarrier();
  let channels = ${axis === 0 ? 'sizes.outputs' : 'sizes.inputs'};
  let tiles = (${axis === 0 ? 'sizes.inputs' : 'sizes.outputs'} + ${TILE - 1}) / ${TILE};
  let channel = ${axis === 0 ? 'group.y' : 'group.x'} * ${TILE} + index;
  if (index < ${TILE} && channel < channels) {
    var total = 0.0;
    for (var thread = 0u; thread < 8; thread++) { total += magnitudes[index * 8 + thread]; }
    partial[(row * tiles + ${axis === 0 ? 'group.x' : 'group.y'}) * channels + channel] = total;
  }
  workgroupBarrier();
}

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u, @builtin(local_invocation_index) index: u32) {
  let row = group.y * ${TILE} + local.y * 4;
  let column = group.x * ${TILE} + local.x * 4;
  var w: array<vec4f, 4>;
  for (var r = 0u; r < 4; r++) { if (row + r < sizes.outputs) { w[r] = load_weight(row + r, column, sizes.inputs); } }
  var sum: array<vec4f, 4>;
  var squares: array<vec4f, 4>;

  for (var window = 0u; window < sizes.windows; window++) {
    // Written out: without an initializer, a variable in a loop kept its last value on one driver.
    var gradient = array<vec4f, 4>();
    for (var start = 0u; start < sizes.tokens; start += ${STEP}) {
      for (var slot = index; slot < ${(STEP * TILE) / 4}; slot += 64) {
        let token = start + slot / ${TILE / 4};
        let lane = slot % ${TILE / 4} * 4;
        var dy = vec4f();
        var x = vec4f();
        if (token < sizes.tokens) {
          dy = load_outputGradient(window * sizes.tokens + token, group.y * ${TILE} + lane, sizes.outputs);
          x = load_input(window * sizes.tokens + token, group.x * ${TILE} + lane, sizes.inputs);
        }
        gradients[slot] = dy;
        activations[slot] = x;
      }
      workgroupBarrier();
      for (var token = 0u; token < ${STEP}; token++) {
        let dy = gradients[token * ${TILE / 4} + local.y];
        let x = activations[token * ${TILE / 4} + local.x];
        gradient[0] += dy.x * x;
        gradient[1] += dy.y * x;
        gradient[2] += dy.z * x;
        gradient[3] += dy.w * x;
      }
      workgroupBarrier();
    }
    var magnitude: array<vec4f, 4>;
    for (var r = 0u; r < 4; r++) {
      let m = w[r] * gradient[r]${half ? ' * inverseScale[0]' : ''};
      sum[r] += m;
      squares[r] += m * m;
      magnitude[r] = abs(m);
    }
    write_sums(window, magnitude, group.xy, local.xy, index);
  }
${
  sums
    ? `
  for (var r = 0u; r < 4; r++) {
    if (row + r < sizes.outputs) {
      add_first(row + r, column, sizes.inputs, sum[r]);
      add_second(row + r, column, sizes.inputs, squares[r]);
    }
  }`
    : `
  let scale = 1.0 / f32(sizes.windows);
  var elementFirst: array<vec4f, 4>;
  var elementSecond: array<vec4f, 4>;
  var elementMixed: array<vec4f, 4>;
  for (var r = 0u; r < 4; r++) {
    elementFirst[r] = abs(sum[r] * scale);
    elementSecond[r] = squares[r] * scale;
    elementMixed[r] = abs(sum[r] * scale - 0.5 * squares[r] * scale);
  }
  write_sums(sizes.windows, elementFirst, group.xy, local.xy, index);
  write_sums(sizes.windows + 1, elementSecond, group.xy, local.xy, index);
  write_sums(sizes.windows + 2, elementMixed, group.xy, local.xy, index);`
}
}
`;
}
