import type { Scores } from '../../../importance/sums/scores.ts';
import type { ExportRequest, ModelSummary } from '../../../worker/engine.ts';

export type Dtype = ExportRequest['dtype'];

/** The number format that is nearest to a model's own: what an export has unless the reader asks for another, so that pruning alone makes the file smaller. */
export function sourceDtype(
  model: Pick<ModelSummary, 'bytes' | 'parameters'> | undefined,
  scores: Scores | undefined,
): Dtype {
  if (model) {
    const bytesPerParameter = model.bytes / model.parameters;
    if (bytesPerParameter < 0.8) return 'q4';
    if (bytesPerParameter < 1.5) return 'q8';
    return bytesPerParameter < 3 ? 'f16' : 'f32';
  }
  const { torch_dtype: named, dtype = named } = scores?.model.config ?? {};
  return dtype === 'float16' || dtype === 'bfloat16' ? 'f16' : 'f32';
}
