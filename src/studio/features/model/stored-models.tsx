import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { MissingError } from '../../../errors.ts';
import type { StoredModel } from '../../../worker/engine.ts';
import { studioEngine } from '../../data/engine.ts';
import { useModel } from '../../data/use-engine.ts';
import { formatBytes } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { useStudio } from '../../store.ts';

/** Models that were downloaded into this browser: how large, how much room is left, open, delete. */
export function StoredModels({ onOpen }: { readonly onOpen: (name: string) => void }) {
  const client = useQueryClient();
  const { data: model } = useModel();
  const opening = useStudio((state) => state.opening);
  // A download that ended is a new entry.
  const stored = useQuery({
    queryKey: ['stored', opening, model?.name],
    queryFn: async () => (await studioEngine()).stored(),
    staleTime: 0,
    // The list stays while it is read anew, and with it a question that an entry has asked.
    placeholderData: keepPreviousData,
  });
  const room = useQuery({ queryKey: ['stored', 'room', stored.dataUpdatedAt], queryFn: freeRoom, staleTime: 0 });
  const forget = useMutation({
    mutationFn: async (chosen: StoredModel) => (await studioEngine()).forget({ id: chosen.id, commit: chosen.commit }),
    onSettled: () => client.invalidateQueries({ queryKey: ['stored'] }),
  });
  if (stored.error && !(stored.error instanceof MissingError))
    return <p className="soft small">Stored models cannot be listed: {stored.error.message}</p>;
  if (!stored.data || stored.data.length === 0) return null;
  const total = stored.data.reduce((sum, { bytes }) => sum + bytes, 0);
  return (
    <div className="stored">
      <h3>
        Stored in this browser, {formatBytes(total)}
        {typeof room.data === 'number' && <span className="soft"> · {formatBytes(room.data)} free</span>}
      </h3>
      <ul>
        {stored.data.map((entry) => (
          <StoredEntry
            key={entry.commit}
            entry={entry}
            isOpen={model?.name === entry.id}
            onOpen={onOpen}
            onDelete={() => forget.mutate(entry)}
          />
        ))}
      </ul>
      {forget.error && <Notice kind="error">{forget.error.message}</Notice>}
    </div>
  );
}

function StoredEntry({
  entry,
  isOpen,
  onOpen,
  onDelete,
}: {
  readonly entry: StoredModel;
  readonly isOpen: boolean;
  readonly onOpen: (name: string) => void;
  readonly onDelete: () => void;
}) {
  const [asked, setAsked] = useState(false);
  return (
    <li>
      <button type="button" className="link" onClick={() => onOpen(`${entry.id}@${entry.revision}`)}>
        {entry.id}
      </button>
      <span className="soft small">
        {formatBytes(entry.bytes)}
        {entry.licence ? `, ${entry.licence}` : ''}
        {isOpen ? ', on the bench' : ''}
      </span>
      {asked ? (
        <span>
          <button type="button" className="quiet" onClick={onDelete}>
            Delete {formatBytes(entry.bytes)}
          </button>{' '}
          <button type="button" className="quiet" onClick={() => setAsked(false)}>
            Keep
          </button>
        </span>
      ) : (
        <button
          type="button"
          className="quiet"
          aria-label={`Delete ${entry.id}`}
          disabled={isOpen}
          onClick={() => setAsked(true)}
        >
          Delete
        </button>
      )}
    </li>
  );
}

/** Bytes that this browser grants beyond what is used; null where it does not tell. */
async function freeRoom(): Promise<number | null> {
  const { quota, usage } = (await navigator.storage?.estimate?.()) ?? {};
  return quota === undefined || usage === undefined ? null : quota - usage;
}
