import { parseVocabularyTarget } from '../../checkpoint/tokenizer/trim/choose.ts';
import type { Scores } from '../../importance/sums/scores.ts';

/** Tokens that a recipe's vocabulary keeps of `whole` at most. What texts use ('seen') is not known before they are read, and counts as all. */
export function keptTokens(keep: string | undefined, whole: number): number {
  if (keep === undefined) return whole;
  const target = parseVocabularyTarget(keep);
  if (target.kind === 'seen') return whole;
  return target.kind === 'count' ? Math.min(target.value, whole) : Math.floor(target.value * whole);
}

/**
 * What a score file knows of a model, with the vocabulary that a recipe keeps: fewer parameters in the embedding, and in the output matrix where that is its own.
 * @param prunable parameters of the groups
 */
export function withVocabulary<Model extends Pick<Scores['model'], 'parameters' | 'config'>>(
  model: Model,
  keep: string | undefined,
  prunable: number,
): Model {
  const { vocab_size: whole, hidden_size: hidden } = model.config;
  if (keep === undefined || typeof whole !== 'number' || typeof hidden !== 'number') return model;
  const tokens = keptTokens(keep, whole);
  const matrix = whole * hidden;
  // Tied or not: what is left beside the blocks says it.
  const tables = model.parameters - prunable >= 2 * matrix ? 2 : 1;
  return {
    ...model,
    parameters: model.parameters - tables * (whole - tokens) * hidden,
    config: { ...model.config, vocab_size: tokens },
  };
}
