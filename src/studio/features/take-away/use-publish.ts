import { useMutation } from '@tanstack/react-query';
import { useRef } from 'react';
import type { ExportedModel, PublishRequest } from '../../../worker/engine.ts';
import { studioEngine } from '../../data/engine.ts';
import { useStudio } from '../../store.ts';

/** What the reader fills in, without the token. */
export interface PublishWish extends Omit<PublishRequest, 'token' | 'name' | 'files'> {
  readonly exported: ExportedModel;
}

/** Publishes a build on the hub. The token is handed over beside the wish, is used once, and is kept neither in the state nor in a cache. */
export function usePublish() {
  const controller = useRef<AbortController>(undefined);
  const lent = useRef('');
  const mutation = useMutation({
    mutationFn: async ({ exported, ...wish }: PublishWish) => {
      const token = lent.current;
      lent.current = '';
      const { beginTask, reportTask, endTask } = useStudio.getState();
      controller.current = new AbortController();
      const { signal } = controller.current;
      beginTask('publish');
      try {
        const files = exported.files.map(({ name, content }) => ({ name, content }));
        const pushed = await (await studioEngine()).publish(
          { ...wish, token, name: exported.name, files },
          { signal, onProgress: (progress) => reportTask('publish', progress) },
        );
        return { ...pushed, exported };
      } finally {
        endTask('publish');
      }
    },
  });
  const publish = (wish: PublishWish, token: string) => {
    lent.current = token;
    return mutation.mutateAsync(wish);
  };
  return { ...mutation, publish, cancel: () => controller.current?.abort() };
}
