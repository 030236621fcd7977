import { type DragEvent, useId, useState } from 'react';
import type { PickedFile } from '../../../worker/engine.ts';
import { Notice } from '../../parts/notice.tsx';
import { useStudio } from '../../store.ts';
import { HubField } from './hub-field.tsx';
import { filesOfDrop, filesOfInput, rememberFiles } from './picked-files.ts';
import { EMBEDDED_MODEL, modelName } from './slice.ts';
import { StoredModels } from './stored-models.tsx';
import { useModelChoice } from './use-model-choice.ts';

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
        <Refused />
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

/** Why what was to be opened was not: the model before is still there. */
function Refused() {
  const refused = useStudio((state) => state.refusedModel);
  const chosen = useStudio((state) => state.chosenModel);
  if (!refused) return null;
  return (
    <Notice kind="error">{`${refused.name} was not opened, and ${modelName(chosen)} stays. ${refused.message}`}</Notice>
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
