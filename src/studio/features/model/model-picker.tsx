import { type DragEvent, useId, useState } from 'react';
import type { PickedFile } from '../../../worker/engine.ts';
import { useStudio } from '../../store.ts';
import { HubField } from './hub-field.tsx';
import { filesOfDrop, filesOfInput } from './picked-files.ts';
import { EMBEDDED_MODEL } from './slice.ts';
import { StoredModels } from './stored-models.tsx';
import { useModelChoice } from './use-model-choice.ts';
import { useOpenFiles } from './use-open-files.ts';

/** Other models: from a hub, from files or a folder, or stored from before. */
export function ModelPicker() {
  const chosen = useStudio((state) => state.chosenModel);
  const choose = useModelChoice();
  const open = useOpenFiles();
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
        <FileChoice onFiles={(files) => void open(files)} />
        <StoredModels onOpen={(name) => choose({ kind: 'hub', name })} />
      </div>
    </details>
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
