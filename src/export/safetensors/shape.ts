import type { LayerWidths } from '../../architecture/architecture.ts';
import type { Model } from '../../architecture/model.ts';

/** What a pruned model's layers look like to programs that know only the dense family. */
export interface ModelShape {
  readonly widths: readonly LayerWidths[];
  /** The one width of all layers; undefined where they differ. */
  readonly uniform: LayerWidths | undefined;
  /** Biases of output projections that the family does not have, as compensation adds them. */
  readonly hasAddedBiases: boolean;
  /** Whether the family's own class in transformers computes the model with other numbers in config.json. */
  readonly isPlain: boolean;
}

const ADDED_BIAS = /\.(o_proj|down_proj)\.bias$/;

/** Families whose class in transformers takes biases in all projections (`attention_bias`, `mlp_bias`). */
const TAKES_BIASES: ReadonlySet<string> = new Set(['llama']);

/** The shape of a (pruned) model without removed layers (`compactedCheckpoint`). Attention and MLP widths may be smaller than the dense model's and still be plain, as long as they are the same in every layer. */
export function modelShape({ checkpoint, architecture }: Model): ModelShape {
  const { config } = architecture;
  const widths = config.layerWidths;
  const [first] = widths;
  const isUniform = widths.every(
    ({ keyValueHeads, neurons }) => keyValueHeads === first?.keyValueHeads && neurons === first.neurons,
  );
  const hasBiases = [...checkpoint.tensors.keys()].some((name) => ADDED_BIAS.test(name));
  const ownBiases = checkpoint.config.attention_bias === true || checkpoint.config.mlp_bias === true;
  const hasAddedBiases = hasBiases && !ownBiases;
  return {
    widths,
    uniform: isUniform ? first : undefined,
    hasAddedBiases,
    isPlain: isUniform && (!hasAddedBiases || TAKES_BIASES.has(config.architecture)),
  };
}
