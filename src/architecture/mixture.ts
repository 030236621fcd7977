import type { LayerWidths } from './architecture.ts';
import { ASSIGNMENT, type BlockTensors } from './block-weights.ts';
import type { ConfigFields } from './config-fields.ts';

/** Tensors of an MLP of experts below `model.layers.N.`, in a checkpoint whose experts are stacked (`stackedExperts`). `place` is the module that they stand in. */
export const EXPERT_TENSORS = (place: string) =>
  ({
    'mlp.router': `${place}.gate.weight`,
    [ASSIGNMENT]: `${place}.experts.assignment`,
    'mlp.gate': `${place}.experts.gate.weight`,
    'mlp.up': `${place}.experts.up.weight`,
    'mlp.down': `${place}.experts.down.weight`,
    'mlp.down.bias': `${place}.experts.down.bias`,
  }) as const satisfies BlockTensors;

/** Experts that a token goes to. Throws FileFormatError for more than there are. */
export function expertsPerToken(fields: ConfigFields, experts: number): number {
  return fields.integer('num_experts_per_tok', experts);
}

/** The widths of a dense layer, with the neurons of its experts where it has some. */
export function withExperts(
  widths: LayerWidths,
  mixture: { readonly count: number; readonly neurons: number } | undefined,
): LayerWidths {
  if (!mixture) return widths;
  const { count, neurons } = mixture;
  return { ...widths, neurons: count * neurons, experts: Array<number>(count).fill(neurons) };
}
