/** A page of somebody else, with a script that imports the package: what is dropped on it is pruned. */
export const PAGE =
  '<!doctype html><meta charset="utf-8"><title>Mine</title><script type="module" src="./main.js"></script>';

export const MAIN = `
import { blobFolder, evaluate, memoryFolder, openCheckpoint, openModel, plan, prune, score, tokenWindows } from 'espalier/web';

document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', async (event) => {
  event.preventDefault();
  try {
    const files = [...event.dataTransfer.files].map((blob) => ({ path: blob.name, blob }));
    const checkpoint = await openCheckpoint(blobFolder(files), { name: 'dropped' });
    const model = await openModel(checkpoint, { backend: 'wasm' });
    const words = (await model.tokenizer()).encode(globalThis.text);
    const windows = tokenWindows(words, { length: 16 }).slice(0, 8);
    const { scores } = await score(model, { windows, calibration: { source: 'a page', sha256: '0'.repeat(64), seed: 0 } });
    const chosen = plan(scores, { target: { kind: 'ratio', value: 0.3 } });
    const output = memoryFolder();
    const { pruned, exported } = await prune(model, { plan: chosen, output, windows });
    const { perplexity } = await evaluate(pruned, { windows });
    globalThis.result = {
      backend: model.runtime.description,
      perplexity,
      parametersBefore: exported.parametersBefore,
      parametersAfter: exported.parametersAfter,
      files: [...output.files.keys()],
    };
  } catch (error) {
    globalThis.result = { error: String(error) };
  }
});
`;
