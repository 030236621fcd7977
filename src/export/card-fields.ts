import { load } from 'js-yaml';
import { isRecord } from '../checkpoint/files/json.ts';
import { UsageError } from '../errors.ts';
import { frontMatter } from './markdown.ts';
import { licenceSentence } from './model-card.ts';

/** What a hub reads of a model card beside its text, as whoever publishes it says it. */
export interface CardFields {
  /** A licence by the hub's name, e.g. 'apache-2.0'. */
  readonly licence?: string | undefined;
  /** The model that was pruned, 'org/name'. */
  readonly baseModel?: string | undefined;
}

const LICENCE = /^[A-Za-z0-9][\w.-]{0,63}$/;
const MODEL = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;

/** Throws UsageError for a licence or a base model that no hub would read. */
export function checkCardFields({ licence, baseModel }: CardFields): void {
  if (licence !== undefined && !LICENCE.test(licence))
    throw new UsageError(
      `"${licence}" is no licence by a hub's name. Give one such as apache-2.0, mit or other, or leave it out.`,
    );
  if (baseModel !== undefined && !MODEL.test(baseModel))
    throw new UsageError(`"${baseModel}" is no model of a hub. Give the base model as org/name, or leave it out.`);
}

/** The fields that a model card has. */
export function cardFields(card: string): CardFields {
  const { license, base_model: base } = parts(card).fields;
  return {
    ...(typeof license === 'string' && { licence: license }),
    ...(typeof base === 'string' && { baseModel: base }),
  };
}

/** A model card with other fields; those that are not given stay. Throws as `checkCardFields`. */
export function withCardFields(card: string, given: CardFields): string {
  checkCardFields(given);
  const { licence, baseModel } = given;
  if (licence === undefined && baseModel === undefined) return card;
  const { fields, text } = parts(card);
  const { license: _license, base_model: _base, ...others } = fields;
  const told = cardFields(card);
  const license = licence ?? told.licence;
  const base = baseModel ?? told.baseModel;
  const front = frontMatter({ ...(license && { license }), ...(base && { base_model: base }), ...others });
  return (
    front + (licence === undefined ? text : text.replace(licenceSentence(told.licence), () => licenceSentence(licence)))
  );
}

function parts(card: string): { readonly fields: Readonly<Record<string, unknown>>; readonly text: string } {
  const match = /^---\n([\s\S]*?\n)---\n/.exec(card);
  const fields = match ? load(match[1] ?? '') : undefined;
  return isRecord(fields) ? { fields, text: card.slice(match?.[0].length) } : { fields: {}, text: `\n${card}` };
}
