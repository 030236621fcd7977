import type { LayerWidths } from '../architecture/architecture.ts';
import { architectureFor } from '../architecture/index.ts';
import { perToken, type TokenCosts, tokenCosts } from '../architecture/multiply-accumulates.ts';
import { EspalierError, MissingError } from '../errors.ts';
import type { Scores } from '../importance/sums/scores.ts';
import type { Plan } from '../plan/plan.ts';

/** Multiply-accumulates of one token in the matrix products of a model, before and after pruning. */
export interface MultiplyAccumulates {
  /** Positions that the token attends to. */
  readonly context: number;
  readonly before: number;
  readonly after: number;
}

/** What a plan saves of a token's work, from scores alone; undefined where the config in the score file does not make a model. */
export function planMultiplyAccumulates(scores: Scores, plan: Plan): MultiplyAccumulates | undefined {
  const counted = scoredTokenCosts(scores.model);
  if (counted === undefined) return undefined;
  const { costs, layerWidths: before } = counted;
  const after = before.map(({ keyValueHeads, recurrent = false }, layer): LayerWidths => {
    const { attention = [], convolution = [], mlp = [] } = plan.layers[layer] ?? {};
    // Where all heads of a layer are one group, it stands for them.
    const headsPerGroup = keyValueHeads / (scores.groups[layer]?.attention.groups || 1);
    return {
      keyValueHeads: headsPerGroup * attention.length,
      neurons: mlp.length,
      channels: convolution.length,
      recurrent: recurrent && mlp.length > 0,
    };
  });
  return { context: costs.context, before: perToken(costs, before), after: perToken(costs, after) };
}

/** Counted once a model: a slider asks at every step. */
const known = new WeakMap<Scores['model'], Counted | undefined>();

interface Counted {
  readonly costs: TokenCosts;
  readonly layerWidths: readonly LayerWidths[];
}

/** The costs of the model that was scored: its programs follow from its config, without weights. */
function scoredTokenCosts(model: Scores['model']): Counted | undefined {
  if (!known.has(model)) known.set(model, countTokenCosts(model));
  return known.get(model);
}

function countTokenCosts({ name, config }: Scores['model']): Counted | undefined {
  const absent = () => Promise.reject(new MissingError(`The weights of ${name} are not in its scores.`));
  try {
    const architecture = architectureFor({
      provenance: { name, format: 'scores' },
      config,
      tensors: new Map(),
      byteLength: 0,
      read: absent,
      file: absent,
      sha256: absent,
    });
    return { costs: tokenCosts(architecture), layerWidths: architecture.config.layerWidths };
  } catch (error) {
    if (error instanceof EspalierError) return undefined;
    throw error;
  }
}
