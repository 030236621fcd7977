/**
 * The folder that the studio is served from; undefined outside a page or worker, and in pages of others that use the library. A site that is built with a relative base runs under any path: its scripts
 * and workers lie in `assets/` in it, and know it from their own address.
 */
export function siteFolder(): URL | undefined {
  const { location }: { location?: { readonly href: string } } = globalThis;
  const base = import.meta.env?.BASE_URL;
  if (!location || base === undefined) return undefined;
  return base.startsWith('.') ? new URL(/* @vite-ignore */ '../', import.meta.url) : new URL(base, location.href);
}
