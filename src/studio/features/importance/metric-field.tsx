import { useEffect, useId, useState } from 'react';
import { EspalierError } from '../../../errors.ts';
import { parseMetric } from '../../../plan/metric.ts';
import { useStudio } from '../../store.ts';

/** Any metric expression, with weights: what cannot be read is said, and the last good one stays. */
export function MetricField() {
  const metric = useStudio((state) => state.recipe.metric) ?? '';
  const changeRecipe = useStudio((state) => state.changeRecipe);
  const id = useId();
  const problemId = useId();
  const [text, setText] = useState(metric);
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    setText(metric);
    setProblem(undefined);
  }, [metric]);
  const take = () => {
    if (text === metric) return;
    try {
      parseMetric(text);
      setProblem(undefined);
      changeRecipe({ metric: text });
    } catch (error) {
      if (!(error instanceof EspalierError)) throw error;
      setProblem(error.message);
    }
  };
  return (
    <label className="field field-row" htmlFor={id}>
      <span className="field-label">Metrics and weights</span>
      <input
        id={id}
        type="text"
        value={text}
        spellCheck={false}
        aria-invalid={problem !== undefined}
        aria-describedby={problem ? problemId : undefined}
        onChange={(event) => setText(event.target.value)}
        onBlur={take}
        onKeyDown={(event) => event.key === 'Enter' && take()}
      />
      <span className={problem ? 'field-problem' : 'field-hint'} id={problemId} role={problem ? 'alert' : undefined}>
        {problem ?? 'joined by +, e.g. element-first+0.5*fisher'}
      </span>
    </label>
  );
}
