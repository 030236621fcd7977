import { format } from 'd3';
import type { Estimate } from '../../evaluate/speed/paired-ratio.ts';

const grouped = format(',d');
const oneDecimal = format('.1f');
const twoDecimals = format('.2f');
const threeDecimals = format('.3f');

/** 1,234 below ten thousand, then 12.3 k, 4.56 M, 7.89 B. */
export function formatCount(count: number): string {
  const steps = [
    { at: 1e9, unit: ' B', digits: twoDecimals },
    { at: 1e6, unit: ' M', digits: twoDecimals },
    { at: 1e4, unit: ' k', digits: oneDecimal },
  ];
  const step = steps.find(({ at }) => Math.abs(count) >= at);
  if (!step) return grouped(Math.round(count));
  return `${step.digits(count / (step.at === 1e4 ? 1e3 : step.at))}${step.unit}`;
}

/** Decimal units: 12.3 MB. */
export function formatBytes(bytes: number): string {
  if (bytes < 1e3) return `${Math.round(bytes)} B`;
  if (bytes < 1e6) return `${oneDecimal(bytes / 1e3)} kB`;
  if (bytes < 1e9) return `${oneDecimal(bytes / 1e6)} MB`;
  return `${twoDecimals(bytes / 1e9)} GB`;
}

/** 8.31, 43.3, 541: three figures. */
export function formatPerplexity(perplexity: number): string {
  if (perplexity < 10) return twoDecimals(perplexity);
  if (perplexity < 100) return oneDecimal(perplexity);
  return grouped(Math.round(perplexity));
}

/** 0.083, 1.25: a divergence in nats. */
export function formatNats(nats: number): string {
  return nats < 0.995 ? threeDecimals(nats) : twoDecimals(nats);
}

/** 3.25, 41.7, 980: tokens per second. */
export function formatSpeed(tokensPerSecond: number): string {
  return formatPerplexity(tokensPerSecond);
}

/** 812 (790–830): a speed and the interval that holds it. */
export function formatSpeedEstimate({ value, low, high }: Estimate): string {
  return `${formatSpeed(value)} (${formatSpeed(low)}–${formatSpeed(high)})`;
}

/** ×1.12 (1.08–1.16), or 'no difference measured (0.97–1.02)' where the interval holds 1: a speed over another one that was measured in turn with it. */
export function formatSpeedRatio({ value, low, high }: Estimate): string {
  if (!Number.isFinite(high)) return 'too slow to compare in the time';
  const interval = `(${twoDecimals(low)}–${twoDecimals(high)})`;
  return low <= 1 && high >= 1 ? `no difference measured ${interval}` : `×${twoDecimals(value)} ${interval}`;
}

/** 20%, 12.5%. */
export function formatPercent(share: number): string {
  const percent = share * 100;
  return `${Number.isInteger(Math.round(percent * 10) / 10) ? Math.round(percent) : oneDecimal(percent)}%`;
}

/** 20.0%, 12.5%: for columns of shares. */
export function formatShare(share: number): string {
  return `${oneDecimal(share * 100)}%`;
}

/** +4.1%, −12%. */
export function formatChange(after: number, before: number): string {
  const change = after / before - 1;
  const text = formatPercent(Math.abs(change));
  return change < 0 ? `−${text}` : `+${text}`;
}

/** 840 ms, 3.2 s, 2 min 5 s. */
export function formatSeconds(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? oneDecimal(seconds) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
