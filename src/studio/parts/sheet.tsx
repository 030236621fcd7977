import { type ReactNode, useEffect, useId, useRef } from 'react';
import { Guarded } from './guarded.tsx';

/**
 * A button and the sheet that it opens below itself. The browser closes it on Escape, on a click elsewhere, and when another one opens; what it holds is made
 * when it opens.
 */
export function Sheet({
  label,
  className = '',
  chip,
  chipLabel,
  chipClass = 'chip',
  chipData,
  align = 'left',
  open,
  onOpen,
  children,
}: {
  /** Name of the sheet, for people who listen. */
  readonly label: string;
  readonly className?: string;
  readonly chip: ReactNode;
  /** Name of the button where its content alone says too little. */
  readonly chipLabel?: string;
  readonly chipClass?: string;
  readonly chipData?: Readonly<Record<`data-${string}`, string>>;
  /** Which edges of button and sheet meet. */
  readonly align?: 'left' | 'right';
  readonly open: boolean;
  readonly onOpen: (open: boolean) => void;
  readonly children: ReactNode;
}) {
  const id = useId();
  const sheet = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const element = sheet.current;
    if (!element || element.matches(':popover-open') === open) return;
    if (open) element.showPopover();
    else element.hidePopover();
  }, [open]);
  const place = () => {
    const [element, edges] = [sheet.current, button.current?.getBoundingClientRect()];
    if (!element || !edges) return;
    element.style.setProperty('--sheet-top', `${Math.round(edges.bottom + 6)}px`);
    element.style.setProperty('--sheet-left', `${Math.round(edges.left)}px`);
    element.style.setProperty('--sheet-right', `${Math.round(document.documentElement.clientWidth - edges.right)}px`);
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        className={chipClass}
        popoverTarget={id}
        aria-expanded={open}
        aria-label={chipLabel}
        {...chipData}
      >
        {chip}
      </button>
      <div
        ref={sheet}
        id={id}
        popover="auto"
        role="dialog"
        aria-label={label}
        className={`sheet sheet-${align} ${className}`}
        onBeforeToggle={place}
        onToggle={(event) => onOpen(event.newState === 'open')}
      >
        {open && <Guarded name={label}>{children}</Guarded>}
      </div>
    </>
  );
}
