import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import type { Scores } from '../../../importance/sums/scores.ts';
import type { Plan } from '../../../plan/plan.ts';
import type { ExportRequest, TakeAwayFormat } from '../../../worker/engine.ts';
import { studioEngine } from '../../data/engine.ts';
import { readText } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { repairFor } from '../plan/repair.ts';
import { keptVocabulary } from '../vocabulary/kept-vocabulary.ts';

export interface ExportWish {
  readonly plan: Plan;
  readonly scores: Scores;
  readonly dtype: ExportRequest['dtype'];
  readonly formats: readonly TakeAwayFormat[];
  /** Lines of the model card. */
  readonly figures: Readonly<Record<string, string>>;
  /** How the built file itself is measured. */
  readonly measure: ExportRequest['measure'];
  /** Where to write; absent: a zip archive is made. */
  readonly folder?: FileSystemDirectoryHandle;
}

/** Builds, verifies and hands out the pruned model. Nothing is handed out before it is verified. */
export function useExport() {
  const client = useQueryClient();
  const controller = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: async (wish: ExportWish) => {
      const { beginTask, reportTask, endTask } = useStudio.getState();
      controller.current = new AbortController();
      const { signal } = controller.current;
      beginTask('export');
      try {
        const { dtype, formats, figures, measure, folder } = wish;
        const { ggufType, safetensorsType } = useStudio.getState();
        const engine = await studioEngine();
        const text = await readText(client, useStudio.getState().measureText, 'evaluation');
        const plan = await exactPlan(wish);
        const repair = await repairFor(client, plan);
        const vocabulary = await keptVocabulary(client, plan.recipe.vocabulary);
        const exported = await engine.export(
          plan,
          {
            dtype,
            formats,
            ggufType,
            safetensorsType,
            text,
            repair,
            vocabulary,
            figures,
            measure,
            ...(folder && { folder }),
          },
          { signal, onProgress: (progress) => reportTask('export', progress) },
        );
        return { ...wish, exported };
      } finally {
        endTask('export');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
}

/** The plan at hand; for a target in bytes or memory the one whose files stay within it to the byte. */
async function exactPlan({ plan, scores, dtype }: ExportWish): Promise<Plan> {
  const { kind } = plan.recipe.target;
  if (kind !== 'bytes' && kind !== 'memory') return plan;
  const { model: _, calibration: __, measured, ...options } = plan.recipe;
  const fitted = await (await studioEngine()).fit(scores, { ...options, dtype });
  return measured ? { ...fitted, recipe: { ...fitted.recipe, measured } } : fitted;
}

/** Asks for a folder to write into; undefined when the reader changed their mind. */
export async function pickFolder(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await globalThis.showDirectoryPicker?.({ id: 'espalier', mode: 'readwrite' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined;
    throw error;
  }
}

/** Whether this browser can write into a folder that the reader picks. */
export function canPickFolder(): boolean {
  return typeof globalThis.showDirectoryPicker === 'function';
}

declare global {
  // TypeScript's DOM library does not know it yet.
  function showDirectoryPicker(options?: {
    readonly id?: string;
    readonly mode?: 'read' | 'readwrite';
  }): Promise<FileSystemDirectoryHandle>;
}

/** Hands a file to the reader's downloads. */
export function download(fileName: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = fileName;
  link.click();
  // The browser reads the URL after the click returns.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
