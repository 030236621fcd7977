import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import type { Plan } from '../../surgery/plan.ts';
import type { ExportRequest } from '../../worker/engine.ts';
import { useStudio } from '../state/store.ts';
import { studioEngine } from './engine.ts';
import { repairFor } from './repair.ts';
import { readText } from './use-engine.ts';

/** Builds, verifies and packs the pruned model. Nothing is handed out before it is verified. */
export function useExport() {
  const client = useQueryClient();
  const controller = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: async ({ plan, dtype }: { readonly plan: Plan; readonly dtype: ExportRequest['dtype'] }) => {
      const { beginTask, reportTask, endTask } = useStudio.getState();
      controller.current = new AbortController();
      beginTask('export');
      try {
        const { signal } = controller.current;
        const engine = await studioEngine();
        const text = await readText(client, useStudio.getState().measureText, 'evaluation');
        const repair = await repairFor(client, plan);
        return {
          plan,
          dtype,
          exported: await engine.export(plan, { dtype, text, repair }, { signal, onProgress: (progress) => reportTask('export', progress) }),
        };
      } finally {
        endTask('export');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
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
