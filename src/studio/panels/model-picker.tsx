import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type DragEvent, useId, useState } from 'react';
import { MissingError } from '../../errors.ts';
import type { PickedFile } from '../../worker/engine.ts';
import { studioEngine } from '../data/engine.ts';
import { filesOfDrop, filesOfInput, rememberFiles } from '../data/picked-files.ts';
import { useModelChoice } from '../data/use-model-choice.ts';
import { formatBytes } from '../parts/format.ts';
import { Notice } from '../parts/notice.tsx';
import { EMBEDDED_MODEL } from '../state/model-slice.ts';
import { useStudio } from '../state/store.ts';

/** Small models that are good to begin with: name on the hub, licence, size of the download. */
const SUGGESTED = [
  { name: 'HuggingFaceTB/SmolLM2-135M-Instruct', licence: 'Apache 2.0', size: '270 MB' },
  { name: 'HuggingFaceTB/SmolLM2-360M-Instruct', licence: 'Apache 2.0', size: '720 MB' },
  { name: 'Qwen/Qwen2.5-0.5B-Instruct', licence: 'Apache 2.0', size: '1.0 GB' },
  { name: 'google/gemma-3-270m-it', licence: 'Gemma terms, to be accepted first', size: '540 MB' },
  { name: 'meta-llama/Llama-3.2-1B-Instruct', licence: 'Llama 3.2 terms, to be accepted first', size: '2.5 GB' },
] as const;

/** Other models: from a hub, from files or a folder, or stored from before. */
export function ModelPicker() {
  const chosen = useStudio((state) => state.chosenModel);
  const choose = useModelChoice();
  const open = (files: readonly PickedFile[]) => {
    const name = files[0]?.path.split('/')[0] ?? 'files';
    if (files.length > 0) choose({ kind: 'files', key: rememberFiles(files), name });
  };
  return (
    <details className="model-picker">
      <summary>Open another model</summary>
      <div className="picker-body">
        {chosen.kind !== 'embedded' && (
          <p>
            <button type="button" className="link" onClick={() => choose({ kind: 'embedded', id: EMBEDDED_MODEL })}>
              Back to {EMBEDDED_MODEL}
            </button>
          </p>
        )}
        <HubField onOpen={(name) => choose({ kind: 'hub', name })} />
        <FileChoice onFiles={open} />
        <StoredModels onOpen={(name) => choose({ kind: 'hub', name })} />
      </div>
    </details>
  );
}

function HubField({ onOpen }: { readonly onOpen: (name: string) => void }) {
  const [name, setName] = useState('');
  const fieldId = useId();
  const listId = useId();
  const offer = useMutation({ mutationFn: async (asked: string) => (await studioEngine()).offer(asked) });
  return (
    <form
      className="hub"
      onSubmit={(event) => {
        event.preventDefault();
        offer.mutate(name);
      }}
    >
      <label className="field field-wide" htmlFor={fieldId}>
        <span className="field-label">From the Hugging Face hub</span>
        <span className="hub-line">
          <input
            id={fieldId}
            type="text"
            list={listId}
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
      <datalist id={listId}>
        {SUGGESTED.map((model) => (
          <option key={model.name} value={model.name}>{`${model.licence}, ${model.size}`}</option>
        ))}
      </datalist>
      {offer.error && <Notice kind="error">{offer.error.message}</Notice>}
      {offer.data && (
        <p className="offer small">
          <strong>{offer.data.name}</strong>, {offer.data.licence ?? 'licence not stated'},{' '}
          {offer.data.present === offer.data.bytes ? 'stored in this browser' : `${formatBytes(offer.data.bytes - offer.data.present)} to download`}.{' '}
          <button type="button" className="primary" onClick={() => onOpen(name)}>
            {offer.data.present === offer.data.bytes ? 'Open' : 'Download and open'}
          </button>
        </p>
      )}
    </form>
  );
}

function FileChoice({ onFiles }: { readonly onFiles: (files: readonly PickedFile[]) => void }) {
  const filesId = useId();
  const folderId = useId();
  const [over, setOver] = useState(false);
  const drop = async (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    onFiles(await filesOfDrop(event.dataTransfer));
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is the pointer's way; the buttons inside are everyone's.
    <div
      className={over ? 'drop over' : 'drop'}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => void drop(event)}
    >
      <span>Drop a model folder, safetensors, GGUF or ONNX files here, or</span>
      <label className="button quiet" htmlFor={folderId}>
        choose a folder
      </label>
      <input
        id={folderId}
        className="visually-hidden"
        type="file"
        {...{ webkitdirectory: '' }}
        onChange={(event) => event.target.files && onFiles(filesOfInput(event.target.files))}
      />
      <label className="button quiet" htmlFor={filesId}>
        choose files
      </label>
      <input
        id={filesId}
        className="visually-hidden"
        type="file"
        multiple
        onChange={(event) => event.target.files && onFiles(filesOfInput(event.target.files))}
      />
    </div>
  );
}

function StoredModels({ onOpen }: { readonly onOpen: (name: string) => void }) {
  const client = useQueryClient();
  const stored = useQuery({ queryKey: ['stored'], queryFn: async () => (await studioEngine()).stored(), staleTime: 0 });
  const forget = useMutation({
    mutationFn: async (model: { readonly id: string; readonly commit: string }) => (await studioEngine()).forget(model),
    onSuccess: () => client.invalidateQueries({ queryKey: ['stored'] }),
  });
  if (stored.error && !(stored.error instanceof MissingError)) return <p className="soft small">Stored models cannot be listed: {stored.error.message}</p>;
  if (!stored.data || stored.data.length === 0) return null;
  return (
    <div className="stored">
      <h3>Stored in this browser</h3>
      <ul>
        {stored.data.map((model) => (
          <li key={model.commit}>
            <button type="button" className="link" onClick={() => onOpen(`${model.id}@${model.revision}`)}>
              {model.id}
            </button>
            <span className="soft small">
              {formatBytes(model.bytes)}
              {model.licence ? `, ${model.licence}` : ''}
            </span>
            <button type="button" className="quiet" aria-label={`Delete ${model.id}`} onClick={() => forget.mutate(model)}>
              Delete
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
