import { expect, test } from 'vitest';
import { pairedMethods, tasksMarkdown } from './comparison-pairs.ts';
import type { ComparisonRow } from './types.ts';

function row(method: string, ratio: number, seed: number, answers: Readonly<Record<string, string>>): ComparisonRow {
  const share = (correct: string) => [...correct].filter((digit) => digit === '1').length / correct.length;
  const tasks = Object.fromEntries(
    Object.entries(answers).map(([name, correct]) => [
      name,
      {
        accuracy: share(correct),
        accuracyNormalized: share(correct),
        standardError: 0,
        standardErrorNormalized: 0,
        items: correct.length,
        correct,
        correctNormalized: correct,
        margins: [...correct].map((digit) => Number(digit) - 0.5 + seed),
      },
    ]),
  );
  return {
    method,
    ratio,
    seed,
    reachedRatio: ratio,
    parameters: 1,
    removedParameters: 0,
    texts: {},
    perplexity: 1,
    standardError: 0,
    tasks,
    seconds: 0,
  };
}

const ROWS = [
  row('dense', 0, 0, { quiz: '1111', cloze: '11' }),
  row('saap', 0.2, 0, { quiz: '1110', cloze: '10' }),
  row('saap', 0.2, 1, { quiz: '1100', cloze: '10' }),
  row('wanda', 0.2, 0, { quiz: '0010', cloze: '01' }),
  row('wanda', 0.2, 1, { quiz: '0010', cloze: '01' }),
];

test('methods are paired at their ratio and against dense, items averaged over seeds', () => {
  const pairs = pairedMethods(ROWS);
  expect(pairs.map(({ ratio, first, second }) => [ratio, first, second])).toEqual([
    [0.2, 'saap', 'wanda'],
    [0.2, 'saap', 'dense'],
    [0.2, 'wanda', 'dense'],
  ]);
  const quiz = pairs[0]?.accuracy.tasks.quiz;
  // Answers of saap are 1, 1, 0.5, 0 and of wanda 0, 0, 1, 0: differences 1, 1, -0.5, 0.
  expect(quiz).toMatchObject({ difference: 0.375, onlyFirst: 2, onlySecond: 1, pValue: 1 });
  expect(quiz?.standardError).toBeCloseTo(Math.sqrt((1 + 1 + 0.25 - 4 * 0.375 ** 2) / 3 / 4));
  const cloze = pairs[0]?.accuracy.tasks.cloze;
  expect(cloze?.standardError).toBeCloseTo(Math.sqrt(2 / 1 / 2));
  expect(pairs[0]?.accuracy.difference).toBeCloseTo((0.375 + 0) / 2);
  expect(pairs[0]?.accuracy.standardError).toBeCloseTo(Math.sqrt((quiz?.standardError ?? 0) ** 2 + 1) / 2);
  expect(pairs[0]?.accuracy.pooled).toMatchObject({ difference: 1.5 / 6, onlyFirst: 3, onlySecond: 2 });
  expect(pairs[0]?.accuracy.pooled.pValue).toBeCloseTo(1);
});

test('margins are paired like answers, where all rows have them', () => {
  const [pair] = pairedMethods(ROWS);
  // Half an item's answer lies between its margins of right and wrong, so differences are those of answers.
  expect(pair?.margin?.tasks.quiz?.difference).toBeCloseTo(0.375);
  expect(pair?.margin?.tasks.quiz?.standardError).toBeCloseTo(pair?.accuracy.tasks.quiz?.standardError ?? 0);
  expect(pair?.margin).toMatchObject({ difference: pair?.accuracy.difference });
  const old = ROWS.map((each) => ({
    ...each,
    tasks: Object.fromEntries(Object.entries(each.tasks ?? {}).map(([name, { margins: _, ...task }]) => [name, task])),
  }));
  expect(pairedMethods(old)[0]).not.toHaveProperty('margin');
  expect(tasksMarkdown(old)).toMatch(/\| p 1\.0 \| {2}\|/);
});

test('tables show accuracies best first, and the best method against the others', () => {
  const text = tasksMarkdown(ROWS);
  expect(text).toContain('| 0.0% | dense | 100.0 / 100.0 | 100.0 / 100.0 | 100.0 / 100.0 |');
  expect(text.indexOf('| 20.0% | saap | 62.5 / 62.5 | 50.0 / 50.0 | 56.3 ± 6.3 / 56.3 ± 6.3 |')).toBeGreaterThan(0);
  expect(text.indexOf('| saap | 62.5')).toBeLessThan(text.indexOf('| wanda | 25.0'));
  expect(text).toMatch(
    /\| 20% \| saap \| wanda \| \+18\.8 ± [\d.]+ \| \+18\.8 ± [\d.]+ \| p 1\.0 \| \+0\.188 ± [\d.]+ \|/,
  );
  expect(text).toMatch(/\| 20% \| saap \| dense \| -43\.8 ±/);
  expect(tasksMarkdown([{ ...row('dense', 0, 0, {}) }])).toBe('');
});
