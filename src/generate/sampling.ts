import { UsageError } from '../errors.ts';
import type { Random } from '../random.ts';

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

/** Chooses from the logits of one position. `history` holds the tokens so far, prompt included. `logits` is not changed. */
export type Sampler = (logits: Float32Array, history: Iterable<number>) => Choice;

/** Throws UsageError for an option outside its domain. */
export function createSampler(options: SamplingOptions, random: Random): Sampler {
  const { temperature = 0, topK = 0, topP = 1, repetitionPenalty = 1 } = options;
  check('temperature', temperature, temperature >= 0 && temperature <= 100, 'a number from 0 to 100');
  check('topK', topK, Number.isInteger(topK) && topK >= 0, 'a whole number from 0 (all tokens)');
  check('topP', topP, topP > 0 && topP <= 1, 'a number above 0 and at most 1');
  check('repetitionPenalty', repetitionPenalty, repetitionPenalty > 0 && repetitionPenalty <= 10, 'a number above 0 and at most 10');
  return (logits, history) => {
    const adjusted = repetitionPenalty === 1 ? logits : penalised(logits, history, repetitionPenalty);
    const tokenId = temperature === 0 ? greatest(adjusted) : draw(adjusted, temperature, topK, topP, random);
    return { tokenId, probability: probabilityOf(logits, tokenId) };
  };
}

function check(name: string, value: number, allowed: boolean, domain: string): void {
  if (!allowed) throw new UsageError(`${name} is ${value}; it must be ${domain}.`);
}

/** Index of the greatest value, the first of equals. */
export function greatest(values: Float32Array): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) if ((values[index] as number) > (values[best] as number)) best = index;
  return best;
}

function penalised(logits: Float32Array, history: Iterable<number>, penalty: number): Float32Array {
  const result = logits.slice();
  for (const id of new Set(history)) {
    const logit = result[id];
    if (logit !== undefined) result[id] = logit > 0 ? logit / penalty : logit * penalty;
  }
  return result;
}

function probabilityOf(logits: Float32Array, tokenId: number): number {
  const largest = logits[greatest(logits)] as number;
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - largest);
  return Math.exp((logits[tokenId] as number) - largest) / total;
}

function draw(logits: Float32Array, temperature: number, topK: number, topP: number, random: Random): number {
  const largest = logits[greatest(logits)] as number;
  const weights = Float64Array.from(logits, (logit) => Math.exp((logit - largest) / temperature));
  const candidates = topK === 0 && topP === 1 ? undefined : nucleus(weights, topK, topP);
  let total = 0;
  if (candidates) for (const id of candidates) total += weights[id] as number;
  else for (const weight of weights) total += weight;
  let remaining = random() * total;
  const order = candidates ?? weights.keys();
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
