import { describe, expect, it } from 'vitest';
import { taskText } from './task-progress.tsx';

const task = (progress: Parameters<typeof taskText>[0]['progress'], from = 0) => ({
  ...{ startedAt: 0, stageStartedAt: 0, stageStartedFrom: from, progress },
});

describe('taskText', () => {
  it('counts what a reader asked for, with rate and time left', () => {
    const progress = { stage: 'perplexity', completed: 12, total: 32, unit: 'windows' } as const;
    expect(taskText(task(progress), 'Measuring', 4000)).toBe('perplexity · 12 of 32 windows · 3.0/s · 6.7 s left');
    expect(taskText(task(progress, 10), 'Measuring', 4000)).toBe('perplexity · 12 of 32 windows · 0.5/s · 40 s left');
  });

  it('does not show passes through layers as if they were windows', () => {
    const progress = { stage: 'scoring', completed: 12, total: 360, unit: 'passes' } as const;
    expect(taskText(task(progress), 'Scoring', 1200)).toBe('scoring · 3% · 35 s left');
  });

  it('has only its name before there is progress', () => {
    expect(taskText(task(undefined), 'Scoring', 1)).toBe('Scoring');
  });
});
