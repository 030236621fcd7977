import { useMutation } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { FAMILIES } from '../../../architecture/family-titles.ts';
import { studioEngine } from '../../data/engine.ts';
import { formatBytes } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { TokenField } from '../../parts/token-field.tsx';
import { lendHubToken } from './hub-tokens.ts';

/** Small models that are good to begin with, public and of an architecture that opens here. Sizes are read from the hub when one is looked up. */
const SUGGESTED = [
  { name: 'HuggingFaceTB/SmolLM2-135M-Instruct', licence: 'Apache 2.0' },
  { name: 'HuggingFaceTB/SmolLM2-360M-Instruct', licence: 'Apache 2.0' },
  { name: 'Qwen/Qwen2.5-0.5B-Instruct', licence: 'Apache 2.0' },
] as const;

const FAMILY_NAMES = Object.values(FAMILIES)
  .map(({ title }) => title)
  .join('; ');

/** A model of the hub: looked up first, so that its size and licence are known before anything is downloaded. */
export function HubField({ onOpen }: { readonly onOpen: (name: string) => void }) {
  const [name, setName] = useState('');
  const [token, setToken] = useState('');
  const fieldId = useId();
  const offer = useMutation({
    mutationFn: async (asked: string) => ({ asked, ...(await (await studioEngine()).offer(asked, { token })) }),
  });
  const lookUp = (asked: string) => {
    setName(asked);
    offer.mutate(asked);
  };
  const openOffered = (asked: string) => {
    lendHubToken(asked, token);
    setToken('');
    onOpen(asked);
  };
  return (
    <form
      className="hub"
      onSubmit={(event) => {
        event.preventDefault();
        lookUp(name.trim());
      }}
    >
      <label className="field field-wide" htmlFor={fieldId}>
        <span className="field-label">From the Hugging Face hub</span>
        <span className="hub-line">
          <input
            id={fieldId}
            type="text"
            value={name}
            placeholder="org/name"
            spellCheck={false}
            onChange={(event) => setName(event.target.value)}
          />
          <button type="submit" disabled={name.trim() === '' || offer.isPending}>
            {offer.isPending ? 'Asking…' : 'Look up'}
          </button>
        </span>
      </label>
      <ul className="suggested small" aria-label="Good to begin with">
        {SUGGESTED.map((model) => (
          <li key={model.name}>
            <button type="button" className="link" disabled={offer.isPending} onClick={() => lookUp(model.name)}>
              {model.name.split('/')[1]}
            </button>{' '}
            <span className="soft">{model.licence}</span>
          </li>
        ))}
      </ul>
      <details className="small">
        <summary>Families that open here</summary>
        <p className="soft">{FAMILY_NAMES}.</p>
      </details>
      <details className="small">
        <summary>A private model, or one whose terms have to be accepted (Llama, Gemma)</summary>
        <TokenField label="Access token of your account, to read it" value={token} onChange={setToken} />
        <p className="soft">
          It goes to the hub with this look-up and this download, is forgotten when the model opens, and is stored
          nowhere.
        </p>
      </details>
      {offer.error && <Notice kind="error">{offer.error.message}</Notice>}
      {offer.data && (
        <p className="offer small" role="status">
          <strong>{offer.data.name}</strong>, {offer.data.licence ?? 'licence not stated'}, {sizeOf(offer.data)}.{' '}
          <button type="button" className="primary" onClick={() => openOffered(offer.data.asked)}>
            {offer.data.present === offer.data.bytes
              ? 'Open'
              : offer.data.present > 0
                ? 'Go on downloading'
                : 'Download and open'}
          </button>
        </p>
      )}
    </form>
  );
}

function sizeOf({ bytes, present }: { readonly bytes: number; readonly present: number }): string {
  if (present === bytes) return `${formatBytes(bytes)}, stored in this browser`;
  const left = `${formatBytes(bytes - present)} to download`;
  return present > 0 ? `${left}, ${formatBytes(present)} are here already` : left;
}
