import { FileFormatError, UnsupportedError } from '../../../errors.ts';
import { isRecord } from '../../files/json.ts';
import { innerSteps, type Step } from './read-step.ts';

/** Puts the special tokens of a single text around its ids. */
export type PostProcessor = (ids: readonly number[]) => number[];

/** What a post-processor of tokenizer.json does to the ids of a text. Throws UnsupportedError naming an unknown type, FileFormatError for a broken one. */
export function postProcessor(step: Step): PostProcessor {
  switch (step.type) {
    case 'Sequence': {
      const steps = innerSteps(step, 'processors').map(postProcessor);
      return (ids) => steps.reduce<number[]>((current, apply) => apply(current), [...ids]);
    }
    case 'ByteLevel':
      return (ids) => [...ids];
    case 'TemplateProcessing':
      return template(step);
    case 'BertProcessing':
    case 'RobertaProcessing': {
      const [first, last] = [tokenId(step, 'cls'), tokenId(step, 'sep')];
      return (ids) => [first, ...ids, last];
    }
    default:
      throw new UnsupportedError(`the post_processor ${step.type} is not supported`);
  }
}

/** A token that is written as its text and id. */
function tokenId(step: Step, field: string): number {
  const token = step[field];
  const id: unknown = Array.isArray(token) ? token[1] : undefined;
  if (typeof id === 'number') return id;
  throw new FileFormatError(`the post_processor ${step.type} has no token "${field}"`);
}

function template(step: Step): PostProcessor {
  const tokens = isRecord(step.special_tokens) ? step.special_tokens : {};
  const parts = (Array.isArray(step.single) ? (step.single as unknown[]) : []).map((part) => {
    if (isRecord(part) && isRecord(part.Sequence)) return undefined;
    const name = isRecord(part) && isRecord(part.SpecialToken) ? part.SpecialToken.id : undefined;
    const token = typeof name === 'string' ? tokens[name] : undefined;
    const ids: unknown = isRecord(token) ? token.ids : undefined;
    if (!Array.isArray(ids) || !(ids as unknown[]).every((id) => typeof id === 'number'))
      throw new FileFormatError(`the post_processor's template names ${JSON.stringify(name)}, which has no ids`);
    return ids as number[];
  });
  return (ids) => parts.flatMap((part) => part ?? ids);
}
