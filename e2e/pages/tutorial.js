import {
  calibrationOfText,
  createRuntime,
  exportArchive,
  generateTokens,
  openModel,
  plan,
  prune,
  score,
} from 'espalier/web';

const form = document.querySelector('form');
const status = document.querySelector('[role=status]');
const written = document.querySelector('pre');
const link = document.querySelector('a');

const onProgress = ({ stage, completed, total }) => {
  status.textContent = `${stage}: ${Math.floor((100 * completed) / total)}%`;
};
let runtime;

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const { model: id, ratio, text } = Object.fromEntries(new FormData(form));
  written.textContent = '';
  link.hidden = true;
  try {
    // A graphics card where there is one, else WebAssembly; the same for every model of the page.
    runtime ??= await createRuntime({ backend: 'auto' });
    const endpoint = new URLSearchParams(location.search).get('hub') ?? undefined;
    const model = await openModel(id, { runtime, endpoint, onProgress });
    const calibration = await calibrationOfText(model, text, { source: 'the page', windows: 16, length: 64 });
    const { scores } = await score(model, { ...calibration, onProgress });
    const chosen = plan(scores, { target: { kind: 'ratio', value: Number(ratio) }, roundTo: 4 });
    const { pruned } = await prune(model, { plan: chosen, onProgress });
    for await (const token of generateTokens(pruned, { prompt: 'Once upon a time', maxNewTokens: 32 }))
      written.textContent += token.text;
    const { archive, verification } = await exportArchive(pruned, 'pruned', { plan: chosen, dtype: 'q8', onProgress });
    link.href = URL.createObjectURL(archive);
    link.download = 'pruned.zip';
    link.hidden = false;
    status.textContent =
      `${chosen.parametersBefore} parameters became ${chosen.parametersAfter}; ` +
      `checked at ${verification.positions} positions.`;
    pruned.dispose();
    model.dispose();
  } catch (error) {
    status.textContent = error.message;
  }
});
