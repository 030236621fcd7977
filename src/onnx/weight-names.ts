/**
 * How exported decoders name their initializers, so that a decoder can be read back as a checkpoint. A name is that of the checkpoint's
 * tensor, then what was done to it: `#start:end` rows of a fused tensor, `+1` an offset that was added, then the layout:
 * none (as in the checkpoint), `.transposed` ([in, out] for MatMul), or `.quantised`, `.scales` and `.zero_points` (MatMulNBits, blocks along the inputs).
 */
export interface WeightName {
  /** 'model.layers.0.self_attn.q_proj.weight' */
  readonly tensor: string;
  readonly rows?: { readonly start: number; readonly end: number } | undefined;
  readonly offset?: number | undefined;
  readonly layout: WeightLayout;
}

const LAYOUTS = ['transposed', 'quantised', 'scales', 'zero_points'] as const;
export type WeightLayout = 'plain' | (typeof LAYOUTS)[number];

/** The initializer's name. */
export function weightName({ tensor, rows, offset, layout }: WeightName): string {
  const part = rows ? `#${rows.start}:${rows.end}` : '';
  const added = offset ? `+${offset}` : '';
  return `${tensor}${part}${added}${layout === 'plain' ? '' : `.${layout}`}`;
}

/** Takes a name apart; undefined for names that are not of this form. */
export function parseWeightName(name: string): WeightName | undefined {
  const match = /^([\w.-]+?\.(?:weight|bias))(?:#(\d+):(\d+))?(?:\+([\d.]+))?(?:\.([a-z_]+))?$/.exec(name);
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
