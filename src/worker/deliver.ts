import { memoryFolder } from '../export/memory-folder.ts';
import type { OutputFolder } from '../export/output-folder.ts';
import { zipBlob } from '../export/zip.ts';
import { exportPruned } from '../library/export.ts';
import type { OpenModel } from '../library/open-model.ts';
import type { Plan } from '../plan/plan.ts';
import type { LongRunning } from '../progress.ts';
import { directoryFolder } from './directory-folder.ts';
import type { ExportedModel, ExportRequest } from './engine.ts';

/** Tokens of the windows that an export is verified on. */
const VERIFIED_LENGTH = 128;

/** Builds and verifies a (pruned) model, into a folder that the reader picked or as a zip archive. `windowsOf` cuts text into windows of a length. */
export async function deliver(
  open: OpenModel,
  plan: Plan,
  request: ExportRequest,
  windowsOf: (text: string, length: number) => Promise<readonly ArrayLike<number>[]>,
  options: LongRunning,
): Promise<ExportedModel> {
  const { dtype, text, repair, figures, folder } = request;
  const wanted = `${open.model.checkpoint.provenance.name.split('/').at(-1)}-${repair && 'recovered' in repair ? 'recovered' : 'pruned'}-${Math.round(plan.ratio * 100)}`;
  const exportTo = async (output: OutputFolder) =>
    exportPruned(open, {
      ...{
        output,
        dtype,
        plan: {
          ...plan,
          recipe: {
            ...plan.recipe,
            dtype,
            compensate: repair && 'compensate' in repair ? repair.compensate : (plan.recipe.compensate ?? 'none'),
          },
        },
      },
      windows: await windowsOf(text, VERIFIED_LENGTH),
      ...(figures && { figures }),
      ...options,
    });
  if (folder) {
    const output = await directoryFolder(folder, wanted);
    const { files, verification } = await exportTo(output);
    return {
      name: output.name,
      archive: undefined,
      card: await output.read('README.md'),
      files: files.map(sized),
      verification,
    };
  }
  const output = memoryFolder();
  const { files, verification } = await exportTo(output);
  const card = output.files.get('README.md') ?? new Blob();
  return { name: wanted, archive: await zipBlob(output.files, wanted), card, files: files.map(sized), verification };
}

function sized({ name, bytes }: { readonly name: string; readonly bytes: number }) {
  return { name, bytes };
}
