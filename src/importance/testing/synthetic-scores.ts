import { randomScores } from '../../plan/methods/random.ts';
import { METRICS, type Metric, type Scores } from '../sums/scores.ts';

export interface SyntheticShape {
  readonly layers: number;
  readonly attentionGroups: number;
  readonly neurons: number;
  readonly attentionParameters?: number;
  readonly neuronParameters?: number;
  /** Parameters outside the blocks' matrices. */
  readonly otherParameters?: number;
  readonly seed?: number;
}

/** Scores of a model that does not exist: every metric log-normal-like, layers and metrics on different scales, for tests and benchmarks. */
export function syntheticScores(shape: SyntheticShape): Scores {
  const {
    layers,
    attentionGroups,
    neurons,
    attentionParameters = 4096,
    neuronParameters = 192,
    otherParameters = 10_000,
    seed = 1,
  } = shape;
  let stream = seed * 1009;
  const values = (count: number, scale: number): Float32Array =>
    Float32Array.from(randomScores(count, stream++), (u) => scale * Math.exp(3 * u));
  const module = (count: number, layer: number) =>
    Object.fromEntries(
      METRICS.map((metric, m) => [metric, metricValues(metric, count, (1 + m) * 1.3 ** layer, values)]),
    );
  return {
    format: 'espalier-scores/1',
    model: {
      name: 'synthetic',
      sha256: '0'.repeat(64),
      config: { model_type: 'llama', hidden_size: 64, num_attention_heads: 8 },
      parameters: layers * (attentionGroups * attentionParameters + neurons * neuronParameters) + otherParameters,
    },
    calibration: { source: 'none', sha256: '1'.repeat(64), windows: 8, length: 64, seed: 0, loss: 2.5, tokens: 504 },
    engine: { version: '0.1.0', backend: 'cpu' },
    groups: Array.from({ length: layers }, () => ({
      attention: { groups: attentionGroups, parametersPerGroup: attentionParameters },
      mlp: { groups: neurons, parametersPerGroup: neuronParameters },
    })),
    layers: Array.from({ length: layers }, (_, layer) => ({
      attention: module(attentionGroups, layer),
      mlp: module(neurons, layer),
    })),
  };
}

function metricValues(
  metric: Metric,
  count: number,
  scale: number,
  values: (count: number, scale: number) => Float32Array,
): Float32Array {
  if (metric !== 'depth') return values(count, scale);
  const [influence = 0] = values(1, 0.01);
  return new Float32Array(count).fill(influence);
}
