import { describe, expect, it } from 'vitest';
import { barLine, plainLine } from './progress-line.ts';
import { isColourful, isTerminal } from './terminal.ts';

const progress = { stage: 'scoring', completed: 30, total: 40, unit: 'passes' } as const;

describe('progress', () => {
  it('is a line with the time that is left', () => {
    expect(plainLine(progress, 30_000)).toBe('scoring 30/40 passes (75%, 10 s left)');
    expect(plainLine({ ...progress, completed: 40 }, 1)).toBe('scoring 40/40 passes (100%)');
    expect(plainLine({ ...progress, completed: 0, total: 0 }, 1)).toBe('scoring 0/0 passes (100%)');
  });

  it('is a bar that leaves a column of the terminal free, and fills with the work', () => {
    const line = barLine(progress, 30_000, 60, false);
    expect(line).toMatch(/^scoring █+░+ 30\/40 passes \(75%, 10 s left\)$/);
    expect(line).toHaveLength(59);
    const cells = (of: string) => [...of].filter((cell) => cell === '█').length;
    expect(cells(barLine({ ...progress, completed: 40 }, 1, 200, false))).toBe(30);
    expect(cells(barLine({ ...progress, completed: 20 }, 1, 200, false))).toBe(15);
    expect(cells(barLine({ ...progress, completed: 0 }, 1, 200, false))).toBe(0);
  });

  it.each([10, 30, 41, 45])('never wraps in %i columns', (columns) => {
    expect(barLine(progress, 30_000, columns, false).length).toBeLessThan(columns);
  });
});

describe('colours', () => {
  const screen = { isTTY: true, columns: 80 };

  it('are for terminals, and for none that NO_COLOR holds', () => {
    expect(isColourful(screen, { TERM: 'xterm' })).toBe(true);
    expect(isColourful({}, { TERM: 'xterm' })).toBe(false);
    expect(isColourful(screen, { TERM: 'dumb' })).toBe(false);
    expect(isColourful(screen, { NO_COLOR: '1' })).toBe(false);
    expect(isColourful(screen, { NO_COLOR: '' })).toBe(true);
    expect(isColourful({}, { FORCE_COLOR: '1' })).toBe(true);
    expect(isColourful({}, { FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(false);
    expect(isTerminal(screen, { TERM: 'dumb' })).toBe(false);
  });

  it('leave everything but the escape sequences as it is', () => {
    const plain = barLine(progress, 30_000, 60, false);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one.
    expect(barLine(progress, 30_000, 60, true).replaceAll(/\u001b\[\d+m/g, '')).toBe(plain);
  });
});
