import { csvFormatRows } from 'd3-dsv';

/** A table as comma-separated values with a line break at its end; what is absent is empty. */
export function csv(rows: readonly (readonly (string | number | undefined)[])[]): string {
  return `${csvFormatRows(rows.map((row) => row.map((cell) => (cell === undefined ? '' : String(cell)))))}\n`;
}
