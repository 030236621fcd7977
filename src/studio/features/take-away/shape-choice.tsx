import { useState } from 'react';
import { formatBytes, formatPerplexity } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { useStudio } from '../../store.ts';
import { useMeasuredOn } from '../compare/measurements.ts';
import { inShape, type Shape, type ShapeCost, useShapeCosts } from './use-shape-costs.ts';

const ABOUT: Readonly<Record<Shape, string>> = {
  free: 'every layer its own widths',
  uniform: 'all layers equally wide, all attention kept: loads as the family’s own class',
  standard: 'uniform, widths in multiples of 32, no added biases',
};

/** Whether layers may differ, with what each choice costs: measured on the page's text before it is made. */
export function ShapeChoice() {
  const recipe = useStudio((state) => state.recipe);
  const changeRecipe = useStudio((state) => state.changeRecipe);
  const autoMeasure = useStudio((state) => state.autoMeasure);
  const isBuilding = useStudio((state) => state.tasks.export !== undefined);
  const measuredOn = useMeasuredOn();
  const [isAsked, setIsAsked] = useState(false);
  const costs = useShapeCosts((autoMeasure || isAsked) && !isBuilding);
  const chosen = recipe.shape ?? 'free';
  const choose = (shape: Shape) => {
    const { shape: next, compensate } = inShape(recipe, shape);
    changeRecipe({ shape: next, ...(compensate !== undefined && { compensate }) });
  };
  const failure = costs.find((cost) => cost.failure)?.failure;
  return (
    <fieldset className="format-cards shape-cards">
      <legend className="field-label">Shape</legend>
      {costs.map((cost) => (
        <label key={cost.shape} className={cost.shape === chosen ? 'format-card chosen' : 'format-card'}>
          <input
            type="radio"
            name="shape"
            className="visually-hidden"
            value={cost.shape}
            checked={cost.shape === chosen}
            disabled={cost.outcome?.ok === false}
            onChange={() => choose(cost.shape)}
          />
          <strong>{cost.shape}</strong>
          <span>{costText(cost)}</span>
          <span className="soft">{cost.outcome?.ok === false ? cost.outcome.message : ABOUT[cost.shape]}</span>
        </label>
      ))}
      <p className="soft small shape-note">
        {costs.every(({ measured }) => measured)
          ? `Measured on ${measuredOn}. KL is how far the pruned model is from the dense one, in nats a token.`
          : `What a shape costs is measured on ${measuredOn}.`}{' '}
        {!autoMeasure && !isAsked && costs.some(({ measured }) => !measured) && (
          <button type="button" className="link" onClick={() => setIsAsked(true)}>
            Measure the three shapes
          </button>
        )}
        {chosen === 'standard' && ' A standard shape is not repaired: repairs add biases.'}
      </p>
      {failure && <Notice kind="error">{failure}</Notice>}
    </fieldset>
  );
}

function costText({ outcome, measured, isMeasuring }: ShapeCost): string {
  if (!outcome?.ok) return outcome ? 'out of reach' : '…';
  const size = formatBytes(4 * outcome.plan.parametersAfter);
  if (!measured) return isMeasuring ? `${size} in f32, measuring…` : `${size} in f32, not measured yet`;
  const kl = measured.klDivergence === undefined ? '' : `, KL ${measured.klDivergence.toFixed(3)}`;
  return `perplexity ${formatPerplexity(measured.perplexity)}${kl}`;
}
