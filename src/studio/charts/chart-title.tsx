import type { ReactNode } from 'react';

/** What a chart shows and in which unit, in its first line; `children` (tspans) follow, such as a key. */
export function ChartTitle({
  title,
  unit,
  children,
}: {
  readonly title: string;
  readonly unit: string;
  readonly children?: ReactNode;
}) {
  return (
    <text className="chart-title" x={0} y={12}>
      {title}
      <tspan className="chart-unit" dx={6}>
        {unit}
      </tspan>
      {children}
    </text>
  );
}
