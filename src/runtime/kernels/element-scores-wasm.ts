import {
  block,
  type Code,
  countUp,
  encodeModule,
  FunctionBody,
  f32x4,
  i32,
  type Local,
  type MemoryLimits,
} from './wasm-assembler.ts';

/**
 * Rows (outputs) and columns (inputs) of the register tile: 8 accumulators, 2 inputs, a gradient and a product are all that stays in registers on x86-64, and one
 * token a turn is all that engines schedule without spilling them: 4 x 8 and one token ran at 40 GFLOP/s a core, larger tiles and unrolled loops at 17 to 25.
 */
export const TILE_ROWS = 4;
export const TILE_COLUMNS = 8;

const FLOAT = 4;
const VECTOR = 16;
const HALVES = TILE_COLUMNS / 4;

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

/**
 * Element scores of one linear layer on the processor (docs/method.md section 2): the weight gradient dY^T X of each window is made in registers, tile by tile, and
 * reduced at once; it is never written to memory. Cost: 2 tokens + 6 operations per weight and window; memory: the activations once per 64 rows.
 *
 * `pack` copies [tokens, width] into panels [width / lanes, tokens, lanes], so that the inner loop reads memory in order (as in GotoBLAS, Goto and van de Geijn 2008).
 * `accumulate-rows`, `accumulate-columns`: for rows of tiles and all windows, adds g to `first` and g^2 to `second` (both [rows, pitch], without the weight, which is
 * multiplied once by `reduce`), and |w g| to `absolute`: per window, row and lane for axis 0, per window and column for axis 1.
 * `reduce-rows`, `reduce-columns`: sums of |w A|, w^2 B and |w A - w^2 B / 2| with A, B = `first`, `second` over the number of windows, per row and lane, or per column.
 * All sums run in a fixed order: results do not depend on how rows are shared between threads.
 */
export function elementScoresModule(memory: MemoryLimits): Uint8Array<ArrayBuffer> {
  return encodeModule(
    {
      pack4: pack(4),
      pack8: pack(8),
      'accumulate-rows': accumulate(0),
      'accumulate-columns': accumulate(1),
      'reduce-rows': reduce(0),
      'reduce-columns': reduce(1),
    },
    memory,
  );
}

/** [tokens, pitch bytes] into `panels` panels of `lanes` floats a token. */
function pack(lanes: 4 | 8) {
  const body = new FunctionBody('source', 'pitch', 'target', 'panelBytes', 'panels', 'tokens');
  const { source, pitch, target, panelBytes, panels, tokens } = body.parameters;
  const [panel, token, from, to] = [body.integer(), body.integer(), body.integer(), body.integer()];
  const move = range(lanes / 4).map((part) => f32x4.store(to.get, f32x4.load(from.get, part * VECTOR), part * VECTOR));
  const onePanel = block(
    from.set(i32.add(source.get, i32.multiply(panel.get, i32.constant(lanes * FLOAT)))),
    to.set(i32.add(target.get, i32.multiply(panel.get, panelBytes.get))),
    token.set(i32.constant(0)),
    countUp(
      token,
      tokens.get,
      i32.constant(1),
      block(...move, from.set(i32.add(from.get, pitch.get)), to.set(i32.add(to.get, i32.constant(lanes * FLOAT)))),
    ),
  );
  return body.encode(block(panel.set(i32.constant(0)), countUp(panel, panels.get, i32.constant(1), onePanel)));
}

/** Addresses are those of the first tile row; `…Window` and `…Panel` are the bytes from one window or panel to the next. */
function accumulate(axis: 0 | 1) {
  const body = new FunctionBody(
    ...([
      'gradients',
      'gradientWindow',
      'gradientPanel',
      'inputs',
      'inputWindow',
      'inputPanel',
      'tokens',
      'windows',
    ] as const),
    ...(['weight', 'first', 'second', 'pitch', 'absolute', 'absoluteWindow', 'tileRows', 'tileColumns'] as const),
  );
  const { gradients, gradientWindow, gradientPanel, inputs, inputWindow, inputPanel, tokens, windows } =
    body.parameters;
  const { weight, first, second, pitch, absolute, absoluteWindow, tileRows, tileColumns } = body.parameters;
  const [column, row, window, gradientEnd] = [body.integer(), body.integer(), body.integer(), body.integer()];
  const [gradient, input, offset, magnitude] = [body.integer(), body.integer(), body.integer(), body.integer()];
  const tile = range(TILE_ROWS).map(() => range(HALVES).map(() => body.vector()));
  const x = range(HALVES).map(() => body.vector());
  const dy = body.vector();
  const columnSums = range(HALVES).map(() => body.vector());

  const oneToken = block(
    ...x.map((part, half) => part.set(f32x4.load(input.get, half * VECTOR))),
    ...tile.map((sums, r) =>
      block(
        dy.set(f32x4.splat(gradient.get, r * FLOAT)),
        ...sums.map((sum, half) => sum.set(f32x4.add(sum.get, f32x4.multiply(dy.get, x[half]?.get ?? [])))),
      ),
    ),
    input.set(i32.add(input.get, i32.constant(TILE_COLUMNS * FLOAT))),
  );
  const product = block(
    ...tile.flat().map((sum) => sum.set(f32x4.zero)),
    gradientEnd.set(i32.add(gradient.get, i32.multiply(tokens.get, i32.constant(TILE_ROWS * FLOAT)))),
    countUp(gradient, gradientEnd.get, i32.constant(TILE_ROWS * FLOAT), oneToken),
  );
  // The offset of this tile's row r in the matrices: they share a shape.
  const at = (matrix: Local) => i32.add(matrix.get, offset.get);
  const accumulateInto = (matrix: Local, half: number, value: Code) =>
    f32x4.store(at(matrix), f32x4.add(f32x4.load(at(matrix), half * VECTOR), value), half * VECTOR);
  const oneRow = (sums: readonly Local[], r: number): Code =>
    block(
      ...sums.map((g, half) =>
        block(
          accumulateInto(first, half, g.get),
          accumulateInto(second, half, f32x4.multiply(g.get, g.get)),
          g.set(f32x4.absolute(f32x4.multiply(g.get, f32x4.load(at(weight), half * VECTOR)))),
        ),
      ),
      axis === 0
        ? f32x4.store(
            magnitude.get,
            f32x4.add(f32x4.load(magnitude.get, r * VECTOR), sums.map((g) => g.get).reduce(f32x4.add)),
            r * VECTOR,
          )
        : block(
            ...sums.map(
              (g, half) => columnSums[half]?.set(r === 0 ? g.get : f32x4.add(columnSums[half]?.get ?? [], g.get)) ?? [],
            ),
          ),
      offset.set(i32.add(offset.get, pitch.get)),
    );
  const tileOffset = i32.add(
    i32.multiply(row.get, i32.multiply(pitch.get, i32.constant(TILE_ROWS))),
    i32.multiply(column.get, i32.constant(TILE_COLUMNS * FLOAT)),
  );
  const oneWindow = block(
    gradient.set(
      i32.add(
        gradients.get,
        i32.add(i32.multiply(window.get, gradientWindow.get), i32.multiply(row.get, gradientPanel.get)),
      ),
    ),
    input.set(
      i32.add(inputs.get, i32.add(i32.multiply(window.get, inputWindow.get), i32.multiply(column.get, inputPanel.get))),
    ),
    product,
    offset.set(tileOffset),
    magnitude.set(
      i32.add(
        i32.add(absolute.get, i32.multiply(window.get, absoluteWindow.get)),
        axis === 0
          ? i32.multiply(row.get, i32.constant(TILE_ROWS * VECTOR))
          : i32.multiply(column.get, i32.constant(TILE_COLUMNS * FLOAT)),
      ),
    ),
    ...tile.map(oneRow),
    axis === 1
      ? block(
          ...columnSums.map((sum, half) =>
            f32x4.store(magnitude.get, f32x4.add(f32x4.load(magnitude.get, half * VECTOR), sum.get), half * VECTOR),
          ),
        )
      : [],
  );
  const counted = (counter: Local, end: Local, inner: Code) =>
    block(counter.set(i32.constant(0)), countUp(counter, end.get, i32.constant(1), inner));
  return body.encode(counted(column, tileColumns, counted(row, tileRows, counted(window, windows, oneWindow))));
}

/** `scale` is the address of 1 / windows, `sumsOrder` the bytes from one of the three sums to the next. */
function reduce(axis: 0 | 1) {
  const body = new FunctionBody('weight', 'first', 'second', 'pitch', 'scale', 'sums', 'sumsOrder', 'rows', 'vectors');
  const { weight, first, second, pitch, scale, sums, sumsOrder, rows, vectors } = body.parameters;
  const [row, vector, offset, target] = [body.integer(), body.integer(), body.integer(), body.integer()];
  const [n, w, mean, square, half] = [body.vector(), body.vector(), body.vector(), body.vector(), body.vector()];
  const totals = range(3).map(() => body.vector());
  const values = [
    f32x4.absolute(mean.get),
    square.get,
    f32x4.absolute(f32x4.subtract(mean.get, f32x4.multiply(square.get, half.get))),
  ];
  const load = (matrix: Local) => f32x4.load(i32.add(matrix.get, offset.get));
  const orderAt = (order: number) => i32.add(target.get, i32.multiply(sumsOrder.get, i32.constant(order)));
  const oneVector = block(
    w.set(load(weight)),
    mean.set(f32x4.multiply(f32x4.multiply(w.get, load(first)), n.get)),
    square.set(f32x4.multiply(f32x4.multiply(f32x4.multiply(w.get, w.get), load(second)), n.get)),
    ...(axis === 0
      ? totals.map((total, order) => total.set(f32x4.add(total.get, values[order] ?? [])))
      : [
          target.set(i32.add(sums.get, i32.multiply(vector.get, i32.constant(VECTOR)))),
          ...values.map((value, order) => f32x4.store(orderAt(order), f32x4.add(f32x4.load(orderAt(order)), value))),
        ]),
    offset.set(i32.add(offset.get, i32.constant(VECTOR))),
  );
  const oneRow = block(
    offset.set(i32.multiply(row.get, pitch.get)),
    ...totals.map((total) => total.set(f32x4.zero)),
    vector.set(i32.constant(0)),
    countUp(vector, vectors.get, i32.constant(1), oneVector),
    ...(axis === 0
      ? [
          target.set(i32.add(sums.get, i32.multiply(row.get, i32.constant(VECTOR)))),
          ...totals.map((total, order) => f32x4.store(orderAt(order), total.get)),
        ]
      : []),
  );
  return body.encode(
    block(
      n.set(f32x4.splat(scale.get)),
      half.set(f32x4.splat(scale.get, FLOAT)),
      row.set(i32.constant(0)),
      countUp(row, rows.get, i32.constant(1), oneRow),
    ),
  );
}
