import { useScores } from '../../data/use-engine.ts';
import { SelectField } from '../../parts/select-field.tsx';
import { useStudioFields } from '../../store.ts';
import { offeredMethods } from '../plan/offered-methods.ts';

const REPAIRS = [
  { value: '', label: 'as my recipe' },
  { value: '+bias', label: 'bias' },
  { value: '+least-squares', label: 'least squares' },
] as const;
type Suffix = (typeof REPAIRS)[number]['value'];

const baseOf = (name: string) => name.split('+')[0] ?? name;

/** Which other methods, of those that the scores have the metrics for, are measured beside the reader's recipe, and how they are repaired. */
export function MethodChoice() {
  const { comparedMethods, setMeasure } = useStudioFields('comparedMethods', 'setMeasure');
  const { data: scores } = useScores();
  const methods = offeredMethods(scores, ({ name }) => comparedMethods.some((other) => baseOf(other) === name));
  const suffix: Suffix = REPAIRS.find(({ value }) => value !== '' && comparedMethods[0]?.endsWith(value))?.value ?? '';
  const toggle = (name: string) =>
    setMeasure({
      comparedMethods: comparedMethods.some((other) => baseOf(other) === name)
        ? comparedMethods.filter((other) => baseOf(other) !== name)
        : [...comparedMethods, `${name}${suffix}`],
    });
  return (
    <details className="method-choice small">
      <summary>
        Beside it:{' '}
        <span className="soft">{comparedMethods.length > 0 ? comparedMethods.join(', ') : 'no other method'}</span>
      </summary>
      <fieldset className="method-list">
        <legend className="visually-hidden">Methods to compare with</legend>
        {methods.map(({ name, source }) => (
          <label key={name} className="check" title={source}>
            <input
              type="checkbox"
              checked={comparedMethods.some((other) => baseOf(other) === name)}
              onChange={() => toggle(name)}
            />
            {name}
          </label>
        ))}
      </fieldset>
      <SelectField
        label="Their repair"
        value={suffix}
        options={REPAIRS}
        onChange={(next) => setMeasure({ comparedMethods: comparedMethods.map((name) => `${baseOf(name)}${next}`) })}
      />
    </details>
  );
}
