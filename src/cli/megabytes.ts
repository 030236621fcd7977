/** 12.3 MB: bytes in the unit that the page has too. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
