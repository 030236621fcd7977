/**
 * The folder that the site is served from; undefined outside a page or worker. A site that is built with a relative base runs under any path: its scripts
 * and workers lie in `assets/` in it, and know it from their own address.
 */
export function siteFolder(): URL | undefined {
  const { location }: { location?: { readonly href: string } } = globalThis;
  if (!location) return undefined;
  const base = import.meta.env?.BASE_URL ?? '/';
  return base.startsWith('.') ? new URL(/* @vite-ignore */ '../', import.meta.url) : new URL(base, location.href);
}
