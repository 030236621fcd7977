import { useEffect, useRef, useState } from 'react';
import { filesOfDrop } from './picked-files.ts';
import { useOpenFiles } from './use-open-files.ts';

/** Takes files and folders that are dropped anywhere on the page; while they are over it, says what becomes of them. */
export function DropAnywhere() {
  const open = useOpenFiles();
  const latest = useRef(open);
  latest.current = open;
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const over = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      // Without this the browser would leave the page for the file.
      event.preventDefault();
      setOver(true);
    };
    const leave = ({ relatedTarget }: DragEvent) => {
      if (relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      setOver(false);
      if (!event.dataTransfer || !hasFiles(event) || event.defaultPrevented) return;
      event.preventDefault();
      void filesOfDrop(event.dataTransfer).then((files) => latest.current(files));
    };
    globalThis.addEventListener('dragover', over);
    globalThis.addEventListener('dragleave', leave);
    globalThis.addEventListener('drop', drop);
    return () => {
      globalThis.removeEventListener('dragover', over);
      globalThis.removeEventListener('dragleave', leave);
      globalThis.removeEventListener('drop', drop);
    };
  }, []);
  if (!isOver) return null;
  return (
    <div className="drop-anywhere" aria-hidden="true">
      Drop a model (folder, zip, safetensors, GGUF, ONNX), a recipe, a plan or scores
    </div>
  );
}
