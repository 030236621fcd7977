import { median, ratio } from './measure.ts';

/** Milliseconds of one lap: the prompt, and the median and the fastest of the tokens after the first. */
export interface Lap {
  readonly prefill: number;
  readonly decode: number;
  readonly fastest: number;
}

/** `times` are the moments at which the tokens were there. */
export function lapOf(started: number, times: readonly number[]): Lap {
  const [first = started] = times;
  const tokens = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  return { prefill: first - started, decode: median(tokens), fastest: Math.min(...tokens) };
}

/** A decoder by its loop and its model, e.g. 'dense, transformers.js', and the laps that it ran. */
export interface Timed {
  readonly name: string;
  /** Of graph and weights. */
  readonly bytes: number;
  readonly laps: readonly Lap[];
  /** GPU dispatches of one decoded token by the name of the operator's program; undefined where there are none. */
  readonly dispatches?: Readonly<Record<string, number>> | undefined;
}

/** Lines for people: speeds, bytes read and dispatches of a token, ours over transformers.js, pruned over dense against what the removed bytes allow. */
export function report(timed: readonly Timed[], promptTokens: number, layers: number): string[] {
  const part = (name: string, key: keyof Lap) =>
    (timed.find((entry) => entry.name === name)?.laps ?? []).map((lap) => lap[key]);
  const fastest = (name: string) => Math.min(...part(name, 'fastest'));
  const lines = timed.map(({ name, bytes, dispatches }) => {
    const decode = part(name, 'decode');
    const speed = (milliseconds: number, tokens = 1) =>
      ((1000 * tokens) / milliseconds).toFixed(milliseconds > 1000 ? 2 : 0);
    const range = `laps ${speed(Math.max(...decode))} to ${speed(Math.min(...decode))}, fastest token ${fastest(name).toFixed(2)} ms`;
    const count = dispatches && totalOf(dispatches);
    const counted = count === undefined ? '' : `, ${count} dispatches a token, ${(count / layers).toFixed(1)} a layer`;
    return `${name.padEnd(24)} ${(bytes / 2 ** 20).toFixed(1).padStart(6)} MiB a token, prefill ${speed(median(part(name, 'prefill')), promptTokens).padStart(5)} tokens/s, decode ${speed(median(decode)).padStart(5)} tokens/s (${range})${counted}`;
  });
  for (const { name: theirs } of timed.filter(({ name }) => name.endsWith(', transformers.js'))) {
    const own = theirs.replace(', transformers.js', '');
    lines.push(
      `${own}: our speed / transformers.js: decode ${ratio(part(theirs, 'decode'), part(own, 'decode'))}, by the fastest tokens ${(fastest(theirs) / fastest(own)).toFixed(2)}; prefill ${ratio(part(theirs, 'prefill'), part(own, 'prefill'))}`,
    );
  }
  const dense = timed.find(({ name }) => name === 'dense');
  if (dense?.dispatches) lines.push(`Dispatches of a token, dense: ${operatorsOf(dense.dispatches)}.`);
  for (const { name, bytes } of timed.filter((entry) => entry.name.startsWith('-') && !entry.name.includes(','))) {
    const allowed = (dense?.bytes ?? 0) / bytes;
    const gained = median(part('dense', 'decode')) / median(part(name, 'decode'));
    const best = fastest('dense') / fastest(name);
    const prefill = median(part('dense', 'prefill')) / median(part(name, 'prefill'));
    lines.push(
      `${name} / dense: bytes allow ${allowed.toFixed(2)}; decode ${gained.toFixed(2)}, by the fastest tokens ${best.toFixed(2)}, which is ${(best / allowed).toFixed(2)} of it (target 0.9); prefill ${prefill.toFixed(2)}`,
    );
    if (best < 0.9 * allowed) lines.push(`${name}: ${boundBy(dense?.dispatches && totalOf(dense.dispatches), layers)}`);
  }
  return lines;
}

/** Of all operators. */
export const totalOf = (dispatches: Readonly<Record<string, number>>): number =>
  Object.values(dispatches).reduce((sum, count) => sum + count, 0);

const operatorsOf = (dispatches: Readonly<Record<string, number>>) =>
  Object.entries(dispatches)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');

/** Why a narrower model is not faster by its bytes, and what would help. */
function boundBy(dispatches: number | undefined, layers: number): string {
  const perLayer = (dispatches ?? 0) / layers;
  return dispatches === undefined
    ? 'the time of a token is not all bytes: what each of its operators costs besides stays. Removing whole blocks (--search depth) removes operators, too.'
    : `a token has ${dispatches} dispatches, however narrow its matrices are, and what each costs besides its bytes stays; narrower matrices spread over fewer cores. Removing a whole block (--search depth) removes about ${perLayer.toFixed(0)} of them, 1/${layers} of the time.`;
}
