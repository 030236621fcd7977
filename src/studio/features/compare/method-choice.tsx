import { METHODS } from '../../../plan/methods/methods.ts';
import { useStudio } from '../../store.ts';

/** Which other methods are measured beside the reader's recipe. */
export function MethodChoice() {
  const comparedMethods = useStudio((state) => state.comparedMethods);
  const setMeasure = useStudio((state) => state.setMeasure);
  const toggle = (name: string) =>
    setMeasure({
      comparedMethods: comparedMethods.includes(name)
        ? comparedMethods.filter((other) => other !== name)
        : [...comparedMethods, name],
    });
  return (
    <details className="method-choice small">
      <summary>
        Beside it:{' '}
        <span className="soft">{comparedMethods.length > 0 ? comparedMethods.join(', ') : 'no other method'}</span>
      </summary>
      <fieldset className="method-list">
        <legend className="visually-hidden">Methods to compare with</legend>
        {METHODS.map(({ name, source }) => (
          <label key={name} className="check" title={source}>
            <input type="checkbox" checked={comparedMethods.includes(name)} onChange={() => toggle(name)} />
            {name}
          </label>
        ))}
      </fieldset>
    </details>
  );
}
