// Keeps the studio's own files, so that it opens and works without a network after the first visit, and isolates the page where the server does not.
// The build fills in the version, the list and the headers.
const VERSION = 'VERSION';
const ALL_FILES = /* FILES */ [];
const HEADERS = /* HEADERS */ {};
// What the studio's page says of itself (index.html).
const MARK = 'name="application-name" content="Espalier"';
// Of the two builds of ONNX Runtime this browser loads one (runtime/web-build.ts).
const UNUSED_BUILD = 'Suspending' in WebAssembly ? '.asyncify.' : '.jspi.';
const FILES = ALL_FILES.filter((file) => !file.includes(UNUSED_BUILD));

// Caches belong to the origin, on which others may live: this studio's own begin with its name and its folder.
const OWN = `espalier ${new URL(self.registration.scope).pathname} `;
const CACHE = OWN + VERSION;
// Addresses of the page itself.
const STARTS = ['', 'index.html'].map((name) => self.registration.scope + name);

// On the first visit the worker starts at once, since the page may need its headers; the page then asks for the files to be kept.
self.addEventListener('install', (event) => {
  event.waitUntil(
    ownCaches()
      .then((earlier) => (earlier.length > 0 ? keepFiles() : undefined))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    ownCaches()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('message', (event) => {
  if (event.data === 'keep files') event.waitUntil(keepFiles());
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(self.registration.scope)) return;
  if (request.mode !== 'navigate') event.respondWith(kept(request).then(isolated));
  else if (STARTS.includes(request.url.split(/[?#]/)[0])) event.respondWith(visited(request));
});

/** Names of all caches of this studio, of earlier versions too. */
async function ownCaches() {
  return (await caches.keys()).filter((name) => name.startsWith(OWN));
}

/** Fetches what is not kept yet. Most files came moments ago with the page: the browser's own cache gives them again. */
async function keepFiles() {
  const cache = await caches.open(CACHE);
  const present = new Set((await cache.keys()).map(({ url }) => url));
  await cache.addAll(
    FILES.map((file) => new URL(file, self.registration.scope).href).filter((address) => !present.has(address)),
  );
}

/** The page itself, from the network where there is one, so that a new version is seen. */
async function visited(request) {
  let response;
  try {
    response = await fetch(request);
  } catch {
    return isolated((await caches.match(self.registration.scope, { cacheName: CACHE })) ?? Response.error());
  }
  if (!response.ok || (await response.clone().text()).includes(MARK)) return isolated(response);
  // Something else is served here now, as happens on a port of one's own machine: it gets its own answers.
  await self.registration.unregister();
  await Promise.all((await ownCaches()).map((name) => caches.delete(name)));
  return response;
}

/** Any other file: from the cache where it is kept. */
async function kept(request) {
  const found = await caches.match(request.url, { ignoreSearch: true, cacheName: CACHE });
  if (found) return found;
  try {
    return await fetch(request);
  } catch {
    // The list holds all files that there are: one that is not on it is missing with a network too.
    return new Response('', { status: 404 });
  }
}

/** The answer with the headers that its server did not send. */
function isolated(response) {
  // The browser follows a redirection by itself, and nothing can be added to it or to a failure.
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) if (!headers.has(name)) headers.set(name, value);
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
