import type { ReactNode } from 'react';

/** One step of the page: a titled region. `aside` stands right of the title. */
export function Panel({
  id,
  title,
  hint,
  aside,
  children,
}: {
  readonly id: string;
  readonly title: string;
  readonly hint?: ReactNode;
  readonly aside?: ReactNode;
  readonly children: ReactNode;
}) {
  return (
    <section className={`panel panel-${id}`} id={id} aria-labelledby={`${id}-title`}>
      <header className="panel-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {hint && <p className="panel-hint">{hint}</p>}
        {aside && <div className="panel-aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}
