import type { Scores } from '../../../importance/sums/scores.ts';
import type { Plan } from '../../../plan/plan.ts';
import type { TakeAwayFormat } from '../../../worker/engine.ts';
import { formatBytes } from '../../parts/format.ts';
import { SelectField } from '../../parts/select-field.tsx';
import { useStudio, useStudioFields } from '../../store.ts';
import { exportBytes } from '../plan/plan-outcome.ts';
import { ggufBytes, isPlainPlan, safetensorsBytes } from './format-bytes.ts';
import { FORMATS, GGUF_TYPE_NAMES, SAFETENSORS_TYPES } from './slice.ts';
import { useDtype } from './use-dtype.ts';

const NAMES: Readonly<Record<TakeAwayFormat, string>> = { onnx: 'ONNX', safetensors: 'safetensors', gguf: 'GGUF' };

/** Which programs open a format: a shape of its own is for fewer. */
const OPENED_BY: Readonly<Record<TakeAwayFormat, { readonly plain: string; readonly free: string }>> = {
  onnx: {
    plain: 'transformers.js, ONNX Runtime, ONNX Runtime GenAI',
    free: 'transformers.js, ONNX Runtime, ONNX Runtime GenAI',
  },
  safetensors: { plain: 'transformers, as the family’s own class', free: 'transformers with trust_remote_code' },
  gguf: { plain: 'llama.cpp, as the family’s own architecture', free: 'llama.cpp, where it has a home for the shape' },
};

/** What is written into the one folder: formats beside each other, each with its numbers, its size, and what opens it. */
export function FormatChoice({ plan, scores }: { readonly plan: Plan; readonly scores: Scores }) {
  const { takeFormats, ggufType, safetensorsType, toggleFormat, setTakeAway } = useStudioFields(
    ...(['takeFormats', 'ggufType', 'safetensorsType', 'toggleFormat', 'setTakeAway'] as const),
  );
  const dtype = useDtype();
  const changeRecipe = useStudio((state) => state.changeRecipe);
  const fits = isPlainPlan(plan) ? 'plain' : 'free';
  const bytes: Readonly<Record<TakeAwayFormat, number>> = {
    onnx: exportBytes(scores, plan, dtype),
    safetensors: safetensorsBytes(scores, plan, safetensorsType),
    gguf: ggufBytes(scores, plan, ggufType),
  };
  const types: Readonly<Record<TakeAwayFormat, React.ReactNode>> = {
    onnx: (
      <TypeField
        name="ONNX"
        value={dtype}
        options={['f32', 'f16', 'q8', 'q4']}
        onChange={(each) => changeRecipe({ dtype: each })}
      />
    ),
    safetensors: (
      <TypeField
        name="safetensors"
        value={safetensorsType}
        options={SAFETENSORS_TYPES}
        onChange={(each) => setTakeAway({ safetensorsType: each })}
      />
    ),
    gguf: (
      <TypeField
        name="GGUF"
        value={ggufType}
        options={GGUF_TYPE_NAMES}
        onChange={(each) => setTakeAway({ ggufType: each })}
      />
    ),
  };
  return (
    <fieldset className="take-formats">
      <legend className="field-label">Formats, in one folder</legend>
      <ul>
        {FORMATS.map((format) => (
          <li key={format}>
            <label className="take-format">
              <input type="checkbox" checked={takeFormats.includes(format)} onChange={() => toggleFormat(format)} />
              <strong>{NAMES[format]}</strong>
            </label>
            {types[format]}
            <span className="take-size">≈ {formatBytes(bytes[format])}</span>
            <span className="soft small">{OPENED_BY[format][fits]}</span>
          </li>
        ))}
      </ul>
    </fieldset>
  );
}

function TypeField<Value extends string>({
  name,
  value,
  options,
  onChange,
}: {
  readonly name: string;
  readonly value: Value;
  readonly options: readonly Value[];
  readonly onChange: (value: Value) => void;
}) {
  return (
    <SelectField
      label={`${name} numbers`}
      value={value}
      options={options.map((each) => ({ value: each, label: each }))}
      onChange={onChange}
    />
  );
}
