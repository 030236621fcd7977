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
  const costs = scoredTokenCosts(scores.model);
  if (costs === undefined) return undefined;
  const before = scores.groups.map(
    ({ attention, convolution, mlp }): LayerWidths => ({
      keyValueHeads: attention.groups,
      neurons: mlp.groups,
      channels: convolution?.groups ?? 0,
    }),
  );
  const after = plan.layers.map(
    ({ attention, convolution, mlp }): LayerWidths => ({
      keyValueHeads: attention.length,
      neurons: mlp.length,
      channels: convolution?.length ?? 0,
    }),
  );
  return { context: costs.context, before: perToken(costs, before), after: perToken(costs, after) };
}

/** Counted once a model: a slider asks at every step. */
const counted = new WeakMap<Scores['model'], TokenCosts | undefined>();

/** The costs of the model that was scored: its programs follow from its config, without weights. */
function scoredTokenCosts(model: Scores['model']): TokenCosts | undefined {
  if (!counted.has(model)) counted.set(model, countTokenCosts(model));
  return counted.get(model);
}

function countTokenCosts({ name, config }: Scores['model']): TokenCosts | undefined {
  const absent = () => Promise.reject(new MissingError(`The weights of ${name} are not in its scores.`));
  try {
    return tokenCosts(
      architectureFor({
        provenance: { name, format: 'scores' },
        config,
        tensors: new Map(),
        byteLength: 0,
        read: absent,
        file: absent,
        sha256: absent,
      }),
    );
  } catch (error) {
    if (error instanceof EspalierError) return undefined;
    throw error;
  }
}
