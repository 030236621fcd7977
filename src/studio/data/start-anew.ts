/** Forgets the choices that this browser keeps and a recipe in the address, and loads the page as a new visitor finds it. History, measurements and stored models stay. */
export function startAnew(): void {
  try {
    localStorage.removeItem('espalier-studio');
  } catch {
    // Forbidden: then nothing is kept there.
  }
  const { location } = globalThis;
  location.replace(`${location.pathname}${location.search}`);
}
