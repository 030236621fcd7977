import { formatPercent } from '../../parts/format.ts';
import { useStudio } from '../../store.ts';
import { shippedMethod, useShipped } from '../compare/use-shipped.ts';
import { shippedSample } from '../model/shipped-curve.ts';
import { useRatio } from '../plan/use-plan.ts';

/** What is shipped of a model's texts, nearest to the present ratio, for the prompt and the recipe that they were written with; undefined otherwise. */
export function useShippedSample() {
  const shipped = useShipped();
  const ratio = useRatio();
  const prompt = useStudio((state) => state.prompt);
  const isUsual = useStudio(({ recipe, temperature }) => shippedMethod(recipe) === 'saap' && temperature === 0);
  if (!shipped || !isUsual || prompt !== shipped.samples.prompt) return undefined;
  const [pruned, dense] = [shippedSample(shipped, ratio), shippedSample(shipped, 0)];
  return pruned && dense ? { pruned, dense } : undefined;
}

/** A shipped text in the place of one that is not written yet: words move under the thumb from the first second. */
export function SamplePane({
  side,
  ratio,
  text,
  against,
}: {
  readonly side: 'pruned' | 'dense';
  /** That the text was written at. */
  readonly ratio: number;
  readonly text: string;
  /** The dense model's text: what is the same in both is not marked. */
  readonly against: string | undefined;
}) {
  const split = against === undefined ? text.length : commonWords(text, against);
  return (
    <article className="pane" data-pane={side} data-status="sample">
      <h3>
        {side === 'dense' ? 'Dense' : `Pruned, ${formatPercent(ratio)} removed`}
        <span className="pane-foot">written by us, yours is coming</span>
      </h3>
      <p className="pane-text">
        {text.slice(0, split).trimStart()}
        {split < text.length && <span className="diverged">{text.slice(split)}</span>}
      </p>
    </article>
  );
}

/** Length of the beginning that two texts share, up to the end of a word. */
export function commonWords(first: string, second: string): number {
  let same = 0;
  while (same < first.length && first[same] === second[same]) same += 1;
  if (same === first.length) return same;
  const space = first.lastIndexOf(' ', same);
  return Math.max(0, space);
}
