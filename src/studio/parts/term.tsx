import { type ReactNode, useId, useRef, useState } from 'react';

/** A word that explains itself: press it, and what it means stands below. */
export function Term({ children, meaning }: { readonly children: ReactNode; readonly meaning: ReactNode }) {
  const id = useId();
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const card = useRef<HTMLSpanElement>(null);
  const place = () => {
    const edges = button.current?.getBoundingClientRect();
    if (!edges || !card.current) return;
    card.current.style.setProperty('--sheet-top', `${Math.round(edges.bottom + 4)}px`);
    card.current.style.setProperty('--sheet-left', `${Math.round(edges.left)}px`);
  };
  return (
    <>
      <button ref={button} type="button" className="term" popoverTarget={id}>
        {children}
      </button>
      <span
        ref={card}
        id={id}
        popover="auto"
        className="term-card"
        onBeforeToggle={place}
        onToggle={(event) => setOpen(event.newState === 'open')}
      >
        {open && meaning}
      </span>
    </>
  );
}
