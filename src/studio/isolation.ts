/** Longest wait for the service worker on a first visit. */
const LONGEST_WAIT = 3000;
const TRIED = 'espalier-isolation-tried';

/**
 * Starts the service worker, which keeps the studio's files and isolates the page (threads in WebAssembly need that) where the server does not send the
 * headers. Then the page has to be loaded once more: it is, once a visit, before anything is shown. Inside a frame the outer page decides.
 */
export async function startServiceWorker(address: string): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  const registered = navigator.serviceWorker.register(address);
  void registered
    .then(() => navigator.serviceWorker.ready)
    .then(({ active }) => active?.postMessage('keep files'))
    // Private windows may refuse: then the studio needs the network, and says that it has one thread.
    .catch(() => undefined);
  if (globalThis.crossOriginIsolated || globalThis.top !== globalThis.self || wasTried()) return;
  if (await controlled()) {
    globalThis.location.reload();
    // Nothing is shown for the moment that is left.
    await new Promise(() => undefined);
  }
}

/** Whether this visit has loaded the page a second time already; from then on it has. */
function wasTried(): boolean {
  try {
    const tried = sessionStorage.getItem(TRIED) !== null;
    sessionStorage.setItem(TRIED, 'yes');
    return tried;
  } catch {
    return true;
  }
}

/** Whether the service worker answers for this page, now or within a moment. */
function controlled(): Promise<boolean> {
  if (navigator.serviceWorker.controller) return Promise.resolve(true);
  return new Promise((resolve) => {
    navigator.serviceWorker.addEventListener('controllerchange', () => resolve(true), { once: true });
    setTimeout(() => resolve(false), LONGEST_WAIT);
  });
}
