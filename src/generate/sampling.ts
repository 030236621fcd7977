import { UsageError } from '../errors.ts';
import type { Random } from '../random.ts';
import { checkFinite, type Shortlist, type ShortlistRequest, shortlistOf } from './shortlist.ts';

/** How the next token is chosen. Everything has a neutral default: greedy decoding of the model's own distribution. */
export interface SamplingOptions {
  /** Divides the logits; 0 (the default) takes the most probable token. */
  readonly temperature?: number;
  /** Only the k most probable tokens; 0 (the default): all. */
  readonly topK?: number;
  /** The fewest most probable tokens that together reach this probability (Holtzman et al. 2020); default 1. */
  readonly topP?: number;
  /** Divides positive and multiplies negative logits of tokens that occurred (Keskar et al. 2019); default 1. */
  readonly repetitionPenalty?: number;
}

/** A chosen token and the probability that the model (before temperature and cuts) gave it. */
export interface Choice {
  readonly tokenId: number;
  readonly probability: number;
}

/** Chooses the next token after `history`, the tokens so far, prompt included. */
export interface Sampler {
  /** From the logits of one position, which are not changed. Throws DeviceError when they are not finite. */
  sample(logits: Float32Array, history: Iterable<number>): Choice;
  /** What of the logits is enough for most positions; undefined where every token can be drawn. */
  readonly request: ShortlistRequest | undefined;
  /** The same choice from a shortlist; undefined, with nothing drawn, where it could be another than from all logits. */
  fromShortlist(shortlist: Shortlist, history: Iterable<number>): Choice | undefined;
}

/** Candidates that a shortlist has beyond those asked for, for tokens that the repetition penalty moves down. */
const SPARE = 64;
/** Entries that nearly always hold the nucleus of top-p. */
const NUCLEUS = 256;

/** Throws UsageError for an option outside its domain. */
export function createSampler(options: SamplingOptions, random: Random): Sampler {
  const { temperature = 0, topK = 0, topP = 1, repetitionPenalty = 1 } = options;
  check('temperature', temperature, temperature >= 0 && temperature <= 100, 'a number from 0 to 100');
  check('topK', topK, Number.isInteger(topK) && topK >= 0, 'a whole number from 0 (all tokens)');
  check('topP', topP, topP > 0 && topP <= 1, 'a number above 0 and at most 1');
  check(
    'repetitionPenalty',
    repetitionPenalty,
    repetitionPenalty > 0 && repetitionPenalty <= 10,
    'a number above 0 and at most 10',
  );
  const adjust = (logits: Float32Array, ids: readonly number[] | undefined, history: Iterable<number>) =>
    repetitionPenalty === 1 ? logits : penalised(logits, ids, history, repetitionPenalty);
  const request = shortlistRequest({ temperature, topK, topP, repetitionPenalty });
  return {
    request,
    sample(logits, history) {
      const adjusted = adjust(logits, undefined, history);
      const { largest, total } = softmaxParts(logits);
      const tokenId = temperature === 0 ? greatest(adjusted) : draw(adjusted, temperature, topK, topP, random);
      return { tokenId, probability: Math.exp((logits[tokenId] as number) - largest) / total };
    },
    fromShortlist(shortlist, history) {
      if (!request) return undefined;
      const { ids, logits, total, temperedTotal, relativeError } = shortlist;
      const ranked = rank(ids, adjust(logits, ids, history), logits);
      const needed = temperature === 0 ? 1 : topK;
      // Fewer are certain than are needed: a token that is not listed could be among them.
      if (ranked.certain < needed) return undefined;
      let order: Uint32Array = ranked.order;
      if (temperature > 0) {
        const largest = ranked.logits[order[0] as number] as number;
        const weights = Float64Array.from(ranked.logits, (logit) => Math.exp((logit - largest) / temperature));
        const limited = topK > 0 ? order.subarray(0, topK) : order;
        const share = topP * (topK > 0 ? sumOf(limited, weights) : (temperedTotal as number));
        order = shareOf(limited, weights, share);
        // Where the list ends first, or the total's error could move the cut, all logits decide.
        if (topK === 0 && !isClear(order, weights, share, relativeError)) return undefined;
        order = Uint32Array.of(pick(order, weights, sumOf(order, weights), random));
      }
      const place = order[0] as number;
      return {
        tokenId: ids[place] as number,
        probability: Math.exp((logits[place] as number) - (logits[0] as number)) / total,
      };
    },
  };
}

/** Chooses from logits of one position by a shortlist of them where that is enough, which is several times faster for large vocabularies. */
export function chooseFrom(logits: Float32Array, sampler: Sampler, history: Iterable<number>): Choice {
  const { request } = sampler;
  return (request && sampler.fromShortlist(shortlistOf(logits, request), history)) ?? sampler.sample(logits, history);
}

/** A repetition penalty below 1 lifts tokens that may be anywhere; with top-p alone the penalty changes the total that its share is of. */
function shortlistRequest({
  temperature,
  topK,
  topP,
  repetitionPenalty,
}: Required<SamplingOptions>): ShortlistRequest | undefined {
  if (repetitionPenalty < 1) return undefined;
  const spare = repetitionPenalty === 1 ? 0 : SPARE;
  if (temperature === 0) return { count: 1 + spare };
  if (topK > 0) return { count: topK + spare };
  return topP < 1 && repetitionPenalty === 1 ? { count: NUCLEUS, temperature } : undefined;
}

/** Places of a shortlist ordered by adjusted logit, equal ones by id, and how many of the first are ahead of every token that is not listed. */
function rank(ids: readonly number[], adjusted: Float32Array, logits: Float32Array) {
  const order = Uint32Array.from(ids, (_, place) => place);
  if (adjusted !== logits)
    order.sort((a, b) => (adjusted[b] as number) - (adjusted[a] as number) || (ids[a] as number) - (ids[b] as number));
  const last = logits.at(-1) as number;
  // A token that is not listed has at most the last one's logit, and a higher id where it has the same.
  const isCertain = (place: number) => (adjusted[place] as number) > last || adjusted[place] === logits[place];
  let certain = 0;
  while (certain < order.length && isCertain(order[certain] as number)) certain += 1;
  return { order, certain, logits: adjusted };
}

function check(name: string, value: number, allowed: boolean, domain: string): void {
  if (!allowed) throw new UsageError(`${name} is ${value}; it must be ${domain}.`);
}

/** Index of the greatest value, the first of equals. */
export function greatest(values: Float32Array): number {
  let best = 0;
  for (let index = 1; index < values.length; index++)
    if ((values[index] as number) > (values[best] as number)) best = index;
  return best;
}

/** `logits` of the whole vocabulary, or of `ids`, with the penalty on what occurred. */
function penalised(
  logits: Float32Array,
  ids: readonly number[] | undefined,
  history: Iterable<number>,
  penalty: number,
): Float32Array {
  const result = logits.slice();
  const occurred = new Set(history);
  const apply = (place: number) => {
    const logit = result[place];
    if (logit !== undefined) result[place] = logit > 0 ? logit / penalty : logit * penalty;
  };
  if (!ids) for (const id of occurred) apply(id);
  else for (const [place, id] of ids.entries()) if (occurred.has(id)) apply(place);
  return result;
}

function softmaxParts(logits: Float32Array): { readonly largest: number; readonly total: number } {
  const largest = logits[greatest(logits)] as number;
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - largest);
  checkFinite(total);
  return { largest, total };
}

function draw(logits: Float32Array, temperature: number, topK: number, topP: number, random: Random): number {
  const largest = logits[greatest(logits)] as number;
  // Plain loops: callbacks for every token of a large vocabulary take longer than its exponentials.
  const weights = new Float64Array(logits.length);
  for (let id = 0; id < weights.length; id++) weights[id] = Math.exp(((logits[id] as number) - largest) / temperature);
  const candidates = topK === 0 && topP === 1 ? idsFrom(weights, 0) : nucleus(weights, topK, topP);
  return pick(candidates, weights, sumOf(candidates, weights), random);
}

function sumOf(order: Uint32Array, weights: Float64Array): number {
  let total = 0;
  for (const place of order) total += weights[place] as number;
  return total;
}

/** Whether `order` is the fewest that reach `share`, and would be for any share within the relative error. */
function isClear(order: Uint32Array, weights: Float64Array, share: number, relativeError: number): boolean {
  const without = sumOf(order.subarray(0, -1), weights);
  return sumOf(order, weights) >= share * (1 + relativeError) && without < share * (1 - relativeError);
}

/** Draws from `order` with probabilities in proportion to the weights, whose sum is `total`. */
function pick(order: Uint32Array, weights: Float64Array, total: number, random: Random): number {
  let remaining = random() * total;
  let last = 0;
  for (const id of order) {
    const weight = weights[id] as number;
    if (weight === 0) continue;
    last = id;
    remaining -= weight;
    if (remaining < 0) return id;
  }
  return last;
}

/** Ids of the candidates, most probable first; ties in id order. With both cuts, top-p is a share of what top-k leaves. */
function nucleus(weights: Float64Array, topK: number, topP: number): Uint32Array {
  let total = 0;
  for (const weight of weights) total += weight;
  // Sorting a large vocabulary whole takes longer than a token of a small model: first drop what cannot be a candidate. All tokens below the
  // threshold of top-p together weigh less than it may leave out.
  const threshold = topK > 0 ? kthLargest(weights, topK) : (total * (1 - topP)) / weights.length;
  const order = idsFrom(weights, threshold).sort((a, b) => (weights[b] as number) - (weights[a] as number) || a - b);
  if (topK === 0) return shareOf(order, weights, topP * total);
  const limited = order.subarray(0, topK);
  return shareOf(limited, weights, topP * limited.reduce((sum, id) => sum + (weights[id] as number), 0));
}

/** The fewest leading ids that weigh at least `share`. */
function shareOf(order: Uint32Array, weights: Float64Array, share: number): Uint32Array {
  let reached = 0;
  let count = 0;
  while (count < order.length && reached < share) reached += weights[order[count++] as number] as number;
  return order.subarray(0, count);
}

function idsFrom(weights: Float64Array, threshold: number): Uint32Array {
  const ids = new Uint32Array(weights.length);
  let count = 0;
  for (let id = 0; id < weights.length; id++) if ((weights[id] as number) >= threshold) ids[count++] = id;
  return ids.subarray(0, count);
}

/** The k-th largest value; the smallest where there are fewer. Keeps the k largest so far in ascending order. */
function kthLargest(values: Float64Array, k: number): number {
  const kept: number[] = [];
  for (const value of values) {
    if (kept.length >= k && value <= (kept[0] as number)) continue;
    let low = 0;
    let high = kept.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((kept[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    kept.splice(low, 0, value);
    if (kept.length > k) kept.shift();
  }
  return kept[0] ?? 0;
}
