import { useId } from 'react';

/** An access token of a model hub. What is typed lives in the component that asks for it, and nowhere else; password managers are told to leave it alone. */
export function TokenField({
  label,
  value,
  onChange,
}: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (token: string) => void;
}) {
  const id = useId();
  return (
    <label className="field field-wide" htmlFor={id}>
      <span className="field-label">{label}</span>
      <input
        id={id}
        type="password"
        autoComplete="off"
        data-1p-ignore
        spellCheck={false}
        placeholder="hf_…"
        value={value}
        onChange={(event) => onChange(event.target.value.trim())}
      />
    </label>
  );
}
