import { throwIfCancelled } from '../../errors.ts';
import type { LongRunning } from '../../progress.ts';
import { type Estimate, medianEstimate, midmean, pairedRatio } from './paired-ratio.ts';

/** How speed is measured. */
export interface SpeedRequest {
  /** Tokens of the prompt whose reading is timed. */
  readonly promptTokens: number;
  /** Tokens decoded after it, by each model in each round. */
  readonly newTokens: number;
  /** Longest time that the measurement takes. It ends sooner when the ratios are known. */
  readonly seconds: number;
}

/** Speeds of one model in tokens per second. They are the machine's while it was measured; what it did beside falls on both models alike. */
export interface ModelSpeed {
  readonly prefill: Estimate;
  readonly decode: Estimate;
  /** Bytes of all weights. */
  readonly bytes: number;
}

/** Two models measured in turn, token by token. `prefill` and `decode` are the speed of the pruned model over that of the dense one. */
export interface SpeedComparison {
  readonly dense: ModelSpeed;
  readonly pruned: ModelSpeed;
  readonly prefill: Estimate;
  readonly decode: Estimate;
  /** How often both prompts were read, and after each of them tokens decoded in turn. */
  readonly rounds: number;
  /** Tokens of the prompt: fewer than asked for where those would not have fitted into the time. */
  readonly promptTokens: number;
  readonly seconds: number;
}

/** What is known while a comparison goes on. */
export interface SpeedSoFar {
  readonly prefill: Estimate;
  readonly decode: Estimate;
  readonly rounds: number;
  /** Of the intervals: what so few rounds can give, at most that of the result. */
  readonly confidence: number;
}

/** Options of a comparison: the ratios after every round, from the third on. */
export interface MeasuringSpeed extends LongRunning {
  readonly onEstimate?: ((soFar: SpeedSoFar) => void) | undefined;
}

/** A text on its way through a model. */
export interface TimedSequence extends Disposable {
  /** Appends tokens and returns the next one, when the device has it. */
  next(tokenIds: readonly number[]): Promise<number>;
}

/** A model to time, and the bytes of its weights. */
export interface Contestant {
  readonly bytes: number;
  start(capacity: number): TimedSequence;
}

/** Confidence of every interval. */
const SPEED_CONFIDENCE = 0.99;
/** Rounds from which signed ranks give an interval of that confidence: 2 / 2^8 < 0.01. */
const FEWEST_ROUNDS = 8;

/** Rounds from which an interim estimate is told, with the interval that they can give. */
const FEW_ROUNDS = 3;

/** The intervals are looked at after so many rounds: rarely, since every look is a chance to stop by luck. */
const LOOKS = [8, 16, 32, 64, 128, 256];
/** Half-widths, of a ratio's logarithm, at which a difference is known, and at which there is none worth telling. */
const KNOWN = 0.05;
const EQUAL = 0.02;
const WARM_UP_TOKENS = 4;
const SHORTEST_PROMPT = 8;

/** Times of one round in milliseconds: [dense, pruned]. */
interface Round {
  readonly prefill: readonly [number, number];
  readonly decode: readonly [readonly number[], readonly number[]];
}

/**
 * Compares two models' speeds in rounds: both read the prompt, then decode token by token in turn, and who begins alternates. A round gives one ratio of
 * prefill and one of decode (of the middle halves of the tokens' times); the ratios of all rounds give the estimate (`pairedRatio`). It ends when both
 * ratios are known within 5%, or within 2% where they hold 1, at the latest after `request.seconds`; what loads of the same models differ by widens the
 * intervals then. Warming up is a stage of its own.
 */
export async function compareSpeeds(
  { dense, pruned }: { readonly dense: Contestant; readonly pruned: Contestant },
  prompt: readonly number[],
  request: SpeedRequest,
  { signal, onProgress, onEstimate }: MeasuringSpeed = {},
  now: () => number = () => performance.now(),
): Promise<SpeedComparison> {
  const models = [dense, pruned] as const;
  const started = now();
  const stopwatch = async (work: () => Promise<number>) => {
    throwIfCancelled(signal);
    const start = now();
    const token = await work();
    return { token, milliseconds: now() - start };
  };

  const warmUp = async () => {
    let [prefill, token] = [0, 0];
    for (const [index, model] of models.entries()) {
      onProgress?.({ stage: WARMING_UP, completed: index, total: models.length, unit: 'steps' });
      using sequence = model.start(prompt.length + WARM_UP_TOKENS);
      let last = await stopwatch(() => sequence.next(prompt));
      prefill += last.milliseconds;
      for (let step = 0; step < WARM_UP_TOKENS; step += 1) {
        const before = last.token;
        last = await stopwatch(() => sequence.next([before]));
      }
      token += last.milliseconds;
    }
    onProgress?.({ stage: WARMING_UP, completed: models.length, total: models.length, unit: 'steps' });
    return { prefill, token };
  };

  const round = async (tokenIds: readonly number[], newTokens: number, first: 0 | 1): Promise<Round> => {
    const capacity = tokenIds.length + newTokens;
    using left = dense.start(capacity);
    using right = pruned.start(capacity);
    const sequences = [left, right] as const;
    const [prefill, decode, tokens] = [[0, 0] as [number, number], [[], []] as [number[], number[]], [0, 0]];
    for (const who of inTurn(first)) {
      const { token, milliseconds } = await stopwatch(() => sequences[who].next(tokenIds));
      prefill[who] = milliseconds;
      tokens[who] = token;
    }
    for (let step = 0; step < newTokens; step += 1)
      for (const who of inTurn(step % 2 === 0 ? first : other(first))) {
        const { token, milliseconds } = await stopwatch(() => sequences[who].next([tokens[who] as number]));
        decode[who].push(milliseconds);
        tokens[who] = token;
      }
    return { prefill, decode };
  };

  const { promptTokens, newTokens, total } = schedule(await warmUp(), prompt.length, request, now() - started);
  const tokenIds = prompt.slice(0, promptTokens);
  const rounds: Round[] = [];
  for (;;) {
    onProgress?.({ stage: MEASURING, completed: Math.min(rounds.length, total - 1), total, unit: 'steps' });
    rounds.push(await round(tokenIds, newTokens, rounds.length % 2 === 0 ? 0 : 1));
    if (rounds.length >= FEW_ROUNDS) onEstimate?.(soFarOf(rounds));
    const spent = now() - started;
    const perRound = spent / rounds.length;
    const isLast = spent + perRound / 2 > 1000 * request.seconds || rounds.length === LOOKS.at(-1);
    if (isLast || (LOOKS.includes(rounds.length) && ratios(rounds).every(isKnown))) break;
  }
  onProgress?.({ stage: MEASURING, completed: total, total, unit: 'steps' });
  const [prefill = EVERYTHING, decode = EVERYTHING] = ratios(rounds).map(amongLoads);
  return {
    dense: { ...speedsOf(rounds, 0, promptTokens), bytes: dense.bytes },
    pruned: { ...speedsOf(rounds, 1, promptTokens), bytes: pruned.bytes },
    ...{ prefill, decode, promptTokens },
    rounds: rounds.length,
    seconds: (now() - started) / 1000,
  };
}

const WARMING_UP = 'warming up';
const MEASURING = 'speed';

/** What of a request fits into its time, by the cost in milliseconds of both models' prompts and of both models' tokens: so many rounds at least that there is an interval. */
function schedule(
  cost: { readonly prefill: number; readonly token: number },
  longest: number,
  { newTokens, seconds }: SpeedRequest,
  spent: number,
) {
  const left = Math.max(0, 1000 * seconds - spent);
  const perRound = left / (FEWEST_ROUNDS + 2);
  const share = cost.prefill > perRound / 2 ? perRound / 2 / cost.prefill : 1;
  const promptTokens = Math.min(longest, Math.max(SHORTEST_PROMPT, Math.floor(longest * share)));
  const prefill = (cost.prefill * promptTokens) / longest;
  const affordable = Math.floor((perRound - prefill) / Math.max(cost.token, 1e-3));
  const tokens = Math.max(1, Math.min(newTokens, affordable));
  const rounds = Math.floor(left / Math.max(prefill + tokens * cost.token, 1e-3));
  return { promptTokens, newTokens: tokens, total: Math.max(1, Math.min(LOOKS.at(-1) ?? 1, rounds)) };
}

/** The pruned model's prefill and decode speed over the dense one's. */
function ratios(rounds: readonly Round[], confidence = SPEED_CONFIDENCE): [prefill: Estimate, decode: Estimate] {
  const of = (pair: (round: Round) => readonly [number, number]) =>
    pairedRatio(
      rounds.map((round) => {
        const [dense, pruned] = pair(round);
        // A clock that ticks coarsely may have stood still.
        return Math.log(Math.max(dense, SHORTEST_TIME) / Math.max(pruned, SHORTEST_TIME));
      }),
      confidence,
    );
  return [of(({ prefill }) => prefill), of(({ decode: [dense, pruned] }) => [midmean(dense), midmean(pruned)])];
}

/** The ratios after some rounds. All signs of n rounds agree by chance with 2 / 2^n: more than that leaves an interval that ends. */
function soFarOf(rounds: readonly Round[]): SpeedSoFar {
  const confidence = Math.min(SPEED_CONFIDENCE, 1 - 2 ** (1 - rounds.length));
  const [prefill = EVERYTHING, decode = EVERYTHING] = ratios(rounds, confidence).map(amongLoads);
  return { prefill, decode, rounds: rounds.length, confidence };
}

const EVERYTHING: Estimate = { value: Number.NaN, low: 0, high: Number.POSITIVE_INFINITY };

/**
 * The interval of a ratio that holds for other loads of the same models, too. Rounds of one load share what the load drew: where its memory lies, which core computes.
 * The variances of both add up, on the scale of logarithms.
 */
function amongLoads({ value, low, high }: Estimate): Estimate {
  const wide = (within: number) => Math.exp(Math.hypot(Math.log(within), NORMAL_QUANTILE * BETWEEN_LOADS));
  return { value, low: value / wide(value / low), high: value * wide(high / value) };
}

/** Standard deviation between loads of a ratio's logarithm: ten loads of `stories` in Chromium, two cores, gave 0.009 and 0.012 (`LOADS=5`, studio-speed.spec.ts). */
const BETWEEN_LOADS = 0.012;
/** Of a normal distribution: 99% lie within so many standard deviations. */
const NORMAL_QUANTILE = 2.576;

/** Milliseconds: a tenth of the finest tick that a browser gives to a page that is not isolated. */
const SHORTEST_TIME = 0.01;

function isKnown({ low, high }: Estimate): boolean {
  const halfWidth = Math.log(high / low) / 2;
  return halfWidth < (low > 1 || high < 1 ? KNOWN : EQUAL);
}

function speedsOf(rounds: readonly Round[], who: 0 | 1, promptTokens: number): Omit<ModelSpeed, 'bytes'> {
  const perSecond = (tokens: number, milliseconds: number) => (1000 * tokens) / Math.max(milliseconds, SHORTEST_TIME);
  const of = (values: readonly number[]) => medianEstimate(values, SPEED_CONFIDENCE);
  return {
    prefill: of(rounds.map(({ prefill }) => perSecond(promptTokens, prefill[who]))),
    decode: of(rounds.map(({ decode }) => perSecond(1, midmean(decode[who])))),
  };
}

function other(who: 0 | 1): 0 | 1 {
  return who === 0 ? 1 : 0;
}

function inTurn(first: 0 | 1): readonly (0 | 1)[] {
  return [first, other(first)];
}
