/**
 * How exported decoders name their initializers, so that a decoder can be read back as a checkpoint. A name is that of the checkpoint's
 * tensor, then what was done to it: `#start:end` rows of a fused tensor, `+1` an offset that was added, then the layout:
 * none (as in the checkpoint), `.transposed` ([in, out] for MatMul), or `.quantised`, `.scales` and `.zero_points` (MatMulNBits, blocks along the inputs)
 * with `.remainders` [blocks, out] where the blocks' zero points are no whole numbers.
 * Tensors that are stacked into one, row below row, are joined by `|`, each with its rows, before the layout.
 */
export interface WeightName {
  /** 'model.layers.0.self_attn.q_proj.weight' */
  readonly tensor: string;
  readonly rows?: { readonly start: number; readonly end: number } | undefined;
  readonly offset?: number | undefined;
  readonly layout: WeightLayout;
}

const LAYOUTS = ['transposed', 'quantised', 'scales', 'zero_points', 'remainders'] as const;
export type WeightLayout = 'plain' | (typeof LAYOUTS)[number];

/** The initializer's name. */
export function weightName({ tensor, rows, offset, layout }: WeightName): string {
  const part = rows ? `#${rows.start}:${rows.end}` : '';
  const added = offset ? `+${offset}` : '';
  return `${tensor}${part}${added}${layout === 'plain' ? '' : `.${layout}`}`;
}

/** The name of several weights stacked into one. Whole tensors are given with all their rows. */
export function stackedWeightName(
  parts: readonly Required<Pick<WeightName, 'tensor' | 'rows'>>[],
  layout: WeightLayout,
): string {
  const joined = parts.map(({ tensor, rows }) => weightName({ tensor, rows, layout: 'plain' })).join('|');
  return layout === 'plain' ? joined : `${joined}.${layout}`;
}

/** Takes any name apart: one weight, or those that are stacked from the first row on. Undefined for names that are not of this form. */
export function parseWeightNames(name: string): readonly WeightName[] | undefined {
  if (!name.includes('|')) {
    const single = parseWeightName(name);
    return single && [single];
  }
  const pieces = name.split('|');
  const last = parseWeightName(pieces.at(-1) ?? '');
  const parts = pieces.map((piece) => parseWeightName(piece));
  const isWhole = parts.every((part): part is WeightName => part?.rows !== undefined);
  return last && isWhole ? parts.map((part) => ({ ...part, layout: last.layout })) : undefined;
}

/** Takes a name apart; undefined for names that are not of this form. */
export function parseWeightName(name: string): WeightName | undefined {
  const match =
    /^([\w.-]+?\.(?:weight|bias|sinks|expert_bias|down_proj_bias|dt_bias|A_log))(?:#(\d+):(\d+))?(?:\+([\d.]+))?(?:\.([a-z_]+))?$/.exec(
      name,
    );
  if (!match) return undefined;
  const [, tensor = '', start, end, offset, suffix] = match;
  const layout = LAYOUTS.find((known) => known === suffix);
  if (suffix !== undefined && !layout) return undefined;
  return {
    tensor,
    ...(start === undefined ? {} : { rows: { start: Number(start), end: Number(end) } }),
    ...(offset === undefined ? {} : { offset: Number(offset) }),
    layout: layout ?? 'plain',
  };
}
