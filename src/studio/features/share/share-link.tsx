import { useEffect, useState } from 'react';
import { useStudio } from '../../store.ts';
import { shareLink } from './share.ts';

/** What was done is told for so long. */
const TOLD_MILLISECONDS = 4000;

/** Copies a link that holds the recipe. Where there is no clipboard, the link is put into the address bar. */
export function ShareLink({
  label = 'Share',
  className = '',
}: {
  readonly label?: string;
  readonly className?: string;
}) {
  const recipe = useStudio((state) => state.recipe);
  const model = useStudio((state) => state.chosenModel);
  const [done, setDone] = useState<'copied' | 'shown'>();
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(undefined), TOLD_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    const link = shareLink(globalThis.location.href, recipe, model);
    try {
      await navigator.clipboard.writeText(link);
      setDone('copied');
    } catch {
      globalThis.history.replaceState(null, '', link);
      setDone('shown');
    }
  };
  return (
    <button type="button" className={className} title="Copy a link that holds the recipe" onClick={() => void copy()}>
      {done === 'copied' ? 'Copied' : done === 'shown' ? 'Link is in the address bar' : label}
    </button>
  );
}
