import type { ExportedModel } from '../library/exported-model.ts';
import { OpenModel } from '../library/open-model.ts';

/** Families that were trained with a first token before every text and predict badly without it. */
const NEED_A_START = /^gemma/;

/** What is said where windows of such a family begin in the middle of a text, as all but the first do; undefined where nothing is missing. `therefore` says what that means for the figure. */
export async function missingStart(
  model: OpenModel | ExportedModel,
  windows: readonly ArrayLike<number>[],
  therefore: string,
): Promise<string | undefined> {
  if (!(model instanceof OpenModel) || !NEED_A_START.test(model.config.architecture)) return undefined;
  const { bosTokenId } = await model.tokenizer();
  const without = windows.filter((window) => window[0] !== bosTokenId).length;
  if (bosTokenId === undefined || without === 0) return undefined;
  return `${without} of ${windows.length} windows do not begin with the token ${bosTokenId} (BOS), without which ${model.config.architecture} predicts far worse: ${therefore}, or give windows that begin with it by --token-ids.`;
}
