import { describe, expect, it } from 'vitest';
import { taskRows, tasksCsv } from './task-rows.ts';

const item = (gold: number) => ({ query: 'Q', choices: ['a', 'bb'], gold });
const task = { name: 'quiz', items: [item(0), item(1), item(0), item(1)] };
/** Per item whether it is right. */
const answers = (...right: readonly (boolean | undefined)[]) =>
  new Map(
    right.flatMap((is, index) =>
      is === undefined ? [] : [[index, is === (index % 2 === 0) ? [-1, -9] : [-9, -1]] as const],
    ),
  );
const subject = (id: string, items: ReturnType<typeof answers>) => ({
  id,
  name: id,
  ratio: id === 'dense' ? 0 : 0.2,
  items,
});

describe('the table of a task', () => {
  it('judges what is measured, and compares on the items that both models have', () => {
    const [dense, plan, none] = taskRows(task, [
      subject('dense', answers(true, true, true, false)),
      subject('plan', answers(true, false, undefined, false)),
      subject('none', answers()),
    ]);
    expect(dense?.result).toMatchObject({ accuracy: 0.75, items: 4, chance: 0.5 });
    expect(dense?.paired).toBeUndefined();
    expect(plan?.result).toMatchObject({ items: 3 });
    expect(plan?.result?.accuracy).toBeCloseTo(1 / 3);
    expect(plan?.paired?.accuracy).toMatchObject({ onlyFirst: 0, onlySecond: 1 });
    expect(plan?.paired?.accuracy.difference).toBeCloseTo(-1 / 3);
    expect(none).toMatchObject({ result: undefined, paired: undefined });
  });

  it('leaves out items beyond the ones in use', () => {
    const [dense] = taskRows({ ...task, items: task.items.slice(0, 2) }, [
      subject('dense', answers(true, true, true, true)),
    ]);
    expect(dense?.result?.items).toBe(2);
  });

  it('is written as CSV, one line per measured model', () => {
    const rows = taskRows(task, [
      subject('dense', answers(true, true, true, false)),
      subject('a, b', answers(true, true, true, true)),
      subject('c', answers()),
    ]);
    const lines = tasksCsv('quiz', rows).trim().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[1]).toBe('quiz,dense,0,4,0.75,0.25,0.75,0.25,0.5,,,,,,');
    expect(lines[2]?.startsWith('quiz,"a, b",0.2,4,1,0,1,0,0.5,0.25,0.25,1,')).toBe(true);
    for (const line of lines) expect(line.replaceAll(/"[^"]*"/g, '').split(',')).toHaveLength(15);
  });
});
