import { strip } from '../checkpoint/tokenizer/jinja/string-methods.ts';
import type { Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { MismatchError } from '../errors.ts';
import type { Prompt } from './tasks-prompts.ts';

/** A context of token ids with the continuations that are scored after it. */
export interface ContextGroup {
  readonly context: readonly number[];
  readonly continuations: readonly (readonly number[])[];
}

/** Token ids of one item. Its choices share one group, except where some had to lose the beginning of the context to fit the model. */
export interface EncodedItem {
  /** [choices]; group and place in it. */
  readonly places: readonly { readonly group: number; readonly index: number }[];
  readonly groups: readonly ContextGroup[];
}

/**
 * Encodes prompts as lm-evaluation-harness does for causal models: white space at the end of the context belongs to the continuation; context
 * and continuation are encoded together and the continuation is what follows as many tokens as the context alone has; special tokens as the
 * tokenizer adds them in front (a BOS), once; an empty context is the BOS, or else the EOS; a continuation that disappears in the tokens of the context is
 * encoded alone; what is too long loses its beginning, so that of a continuation longer than the model's context only the end is scored.
 * `maximumPositions` is the longest sequence that the model can be fed; a continuation's last token is not fed.
 */
export class TaskEncoder {
  readonly #tokenizer: Tokenizer;
  readonly #maximumPositions: number;
  #prefix: readonly number[] | undefined;

  constructor(tokenizer: Tokenizer, maximumPositions: number) {
    this.#tokenizer = tokenizer;
    this.#maximumPositions = maximumPositions;
  }

  /** Throws MismatchError, naming `what`, for a choice without any token, and for an empty query where no token stands for it. */
  encode({ context, continuations }: Prompt, what: string): EncodedItem {
    const trimmed = strip(context, undefined, false, true);
    const space = context.slice(trimmed.length);
    const contextIds = trimmed === '' ? this.#emptyContext(what) : this.#ids(trimmed);
    const groups: { context: readonly number[]; continuations: (readonly number[])[] }[] = [];
    const places = continuations.map((continuation, choice) => {
      const own = space + continuation;
      const joined = trimmed === '' ? [] : this.#ids(trimmed + own).slice(contextIds.length);
      const ids = joined.length > 0 ? joined : this.#unprefixed(own);
      if (ids.length === 0) throw new MismatchError(`${what}: the tokenizer has no token for choice ${choice}.`);
      const all = [...contextIds, ...ids].slice(-(this.#maximumPositions + 1));
      const scored = Math.min(ids.length, all.length - 1);
      const kept = all.slice(0, -scored);
      const known = groups.findIndex(({ context: other }) => sameIds(other, kept));
      if (known < 0) groups.push({ context: kept, continuations: [] });
      const group = known < 0 ? groups.length - 1 : known;
      return { group, index: (groups[group]?.continuations.push(all.slice(-scored)) ?? 1) - 1 };
    });
    return { places, groups };
  }

  #unprefixed(text: string): number[] {
    return this.#tokenizer.encode(text, { addSpecialTokens: false });
  }

  #ids(text: string): number[] {
    const ids = this.#unprefixed(text);
    this.#prefix ??= specialPrefix(this.#tokenizer.encode(text), ids);
    return this.#prefix.length > 0 && ids[0] === this.#prefix[0] ? ids : [...this.#prefix, ...ids];
  }

  #emptyContext(what: string): number[] {
    const id = this.#tokenizer.bosTokenId ?? this.#tokenizer.eosTokenIds[0];
    if (id === undefined)
      throw new MismatchError(
        `${what}: the query is empty and the tokenizer has neither a BOS nor an EOS token to stand for it.`,
      );
    return [id];
  }
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}

/** Special tokens that the tokenizer puts before a text; those after it would separate context and continuation. */
function specialPrefix(complete: readonly number[], bare: readonly number[]): readonly number[] {
  const start = complete.findIndex((_, index) => bare.every((id, offset) => complete[index + offset] === id));
  return start < 0 ? [] : complete.slice(0, start);
}
