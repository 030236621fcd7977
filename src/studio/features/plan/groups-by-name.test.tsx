// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { syntheticScores } from '../../../importance/testing/synthetic-scores.ts';
import { useStudio } from '../../store.ts';
import { freshState, render, until } from '../../testing/render.tsx';
import { importanceRows } from '../importance/importance-rows.ts';
import { PlanAdvanced } from './plan-advanced.tsx';
import { planOutcome, planSummary } from './plan-outcome.ts';
import { PlanOutcomeTable } from './plan-outcome-table.tsx';

/** Scores of a mixture: 64 neurons of a layer in four experts. */
const plain = syntheticScores({ layers: 3, attentionGroups: 4, neurons: 64 });
const mixed = {
  ...plain,
  groups: plain.groups.map((layer) => ({ ...layer, mlp: { ...layer.mlp, experts: [16, 16, 16, 16], perToken: 2 } })),
};

function Present() {
  const recipe = useStudio((state) => state.recipe);
  const outcome = planOutcome(mixed, { ...recipe, target: { kind: 'ratio', value: 0.5 } }, 'f32');
  const plan = outcome.ok ? outcome.plan : undefined;
  return (
    <>
      <PlanAdvanced scores={mixed} />
      <PlanOutcomeTable plan={plan} summary={plan && planSummary(mixed, plan)} />
    </>
  );
}

let page: Awaited<ReturnType<typeof render>>;
beforeEach(async () => {
  freshState();
  page = await render(<Present />);
});
afterEach(() => page.end());

const rows = () =>
  [...page.element.querySelectorAll('.before-after dt')].map((term) => [
    term.textContent,
    term.nextElementSibling?.textContent,
  ]);
const choose = async (experts: string) => {
  const select = [...page.element.querySelectorAll('select')].find((each) =>
    [...each.options].some(({ value }) => value === 'whole'),
  );
  await act(async () => {
    if (select) select.value = experts;
    select?.dispatchEvent(new Event('change', { bubbles: true }));
  });
};

it('counts experts beside their neurons, and lets them go only as a whole', async () => {
  const names = () => rows().map(([name]) => name);
  await until(() => expect(names()).toEqual(expect.arrayContaining(['Attention groups', 'Experts', 'Neurons'])));
  await choose('whole');
  expect(useStudio.getState().recipe.experts).toBe('whole');
  const removed = /−([\d,]+)/.exec(rows().find(([name]) => name === 'Neurons')?.[1] ?? '')?.[1];
  expect(Number(removed)).toBeGreaterThan(0);
  expect(Number(removed) % 16).toBe(0);
  await choose('neurons');
  expect(useStudio.getState().recipe.experts).toBeUndefined();
});

it('calls what the map shows by its name', () => {
  const [row] = importanceRows(mixed, 'recipe', {}, false);
  expect(row?.nouns?.mlp.many).toBe('neurons of experts');
  expect(importanceRows(plain, 'recipe', {}, false)[0]?.nouns).toBeUndefined();
});
