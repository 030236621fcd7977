import type { Progress } from '../progress.ts';
import { styled } from './terminal.ts';

/** Cells of a bar at most; a bar of fewer than four would say nothing. */
const WIDEST = 30;
const NARROWEST = 4;

/** The share that is done: 1 where there is nothing to do. */
export function shareOf({ completed, total }: Progress): number {
  return total > 0 ? completed / total : 1;
}

/** A line of progress for places that keep lines: a file, a pipe. `elapsed` milliseconds went by since the stage began. */
export function plainLine(progress: Progress, elapsed: number): string {
  const { stage, completed, total, unit } = progress;
  const percent = Math.floor(shareOf(progress) * 100);
  return `${stage} ${completed}/${total} ${unit} (${percent}%${timeLeft(progress, elapsed)})`;
}

/** The same with a bar, within `columns` of a terminal: the bar is narrower where there is less room, and left out where there is none. */
export function barLine(progress: Progress, elapsed: number, columns: number, colourful: boolean): string {
  const plain = plainLine(progress, elapsed);
  // One column stays free: a full line would wrap, and could not be drawn over.
  const width = Math.min(WIDEST, columns - plain.length - 2);
  if (width < NARROWEST) return plain.slice(0, Math.max(0, columns - 1));
  const { stage } = progress;
  const done = Math.round(shareOf(progress) * width);
  const bar = `${styled('█'.repeat(done), 'cyan', colourful)}${'░'.repeat(width - done)}`;
  return `${stage} ${bar}${plain.slice(stage.length)}`;
}

function timeLeft(progress: Progress, elapsed: number): string {
  const share = shareOf(progress);
  if (share <= 0.02 || share >= 1) return '';
  const seconds = Math.ceil((elapsed / share) * (1 - share) * 1e-3);
  return `, ${seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`} left`;
}
