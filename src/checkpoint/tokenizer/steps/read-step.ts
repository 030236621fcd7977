import { FileFormatError } from '../../../errors.ts';
import { isRecord, type JsonRecord } from '../../files/json.ts';

/** A step of tokenizer.json: an object with a type. */
export interface Step extends JsonRecord {
  readonly type: string;
}

export function isStep(value: unknown): value is Step {
  return isRecord(value) && typeof value.type === 'string';
}

/** The steps within a `Sequence`. Throws FileFormatError where `field` is not a list of steps. */
export function innerSteps(step: Step, field: string): Step[] {
  const list = step[field];
  if (!Array.isArray(list) || !(list as unknown[]).every(isStep))
    throw new FileFormatError(`the step ${step.type} has no list of steps "${field}"`);
  return list as Step[];
}

/** A text of a step; `otherwise` where it is absent. Throws FileFormatError where it is absent without `otherwise`, or no text. */
export function textOf(step: JsonRecord, field: string, otherwise?: string): string {
  const value = step[field] ?? otherwise;
  if (typeof value === 'string') return value;
  throw new FileFormatError(`the step ${String(step.type)} has no text "${field}"`);
}

/** A truth value of a step; `otherwise` where it is absent. */
export function flagOf(step: JsonRecord, field: string, otherwise: boolean): boolean {
  const value = step[field];
  return typeof value === 'boolean' ? value : otherwise;
}
