import { useId } from 'react';
import { filesOfInput } from './picked-files.ts';
import { useOpenFiles } from './use-open-files.ts';

/** Opens a recipe, a plan or scores from a file: what the command line wrote, or a page before. */
export function OpenRecipe() {
  const id = useId();
  const open = useOpenFiles();
  return (
    <>
      <label className="button quiet" htmlFor={id} title="What the command line or this page wrote">
        Open a recipe, plan or scores
      </label>
      <input
        id={id}
        className="visually-hidden"
        type="file"
        accept=".json,.safetensors"
        aria-label="Recipe, plan or scores: choose a file"
        onChange={(event) => {
          const { files } = event.target;
          if (files) void open(filesOfInput(files));
          // The same file may be chosen again.
          event.target.value = '';
        }}
      />
    </>
  );
}
