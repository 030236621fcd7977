// Keeps the studio's own files, so that it opens and works without a network after the first visit, and isolates the page where the server does not.
// The build fills in the version, the list and the headers.
const VERSION = 'VERSION';
const ALL_FILES = /* FILES */ [];
const HEADERS = /* HEADERS */ {};
// Of the two builds of ONNX Runtime this browser loads one (runtime/web-build.ts).
const UNUSED_BUILD = 'Suspending' in WebAssembly ? '.asyncify.' : '.jspi.';
const FILES = ALL_FILES.filter((file) => !file.includes(UNUSED_BUILD));

// On the first visit the worker starts at once, since the page may need its headers; the page then asks for the files to be kept.
self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((versions) => (versions.length > 0 ? keepFiles() : undefined))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((versions) =>
        Promise.all(versions.filter((version) => version !== VERSION).map((version) => caches.delete(version))),
      )
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('message', (event) => {
  if (event.data === 'keep files') event.waitUntil(keepFiles());
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  event.respondWith(answer(request).then(isolated));
});

/** Fetches what is not kept yet. Most files came moments ago with the page: the browser's own cache gives them again. */
async function keepFiles() {
  const cache = await caches.open(VERSION);
  const kept = new Set((await cache.keys()).map(({ url }) => url));
  await cache.addAll(
    FILES.map((file) => new URL(file, self.registration.scope).href).filter((address) => !kept.has(address)),
  );
}

/** The page itself from the network where there is one, so that a new version is seen; all other files from the cache. */
async function answer(request) {
  const cache = await caches.open(VERSION);
  if (request.mode === 'navigate') {
    try {
      return await fetch(request);
    } catch {
      return (await cache.match(self.registration.scope)) ?? Response.error();
    }
  }
  const kept = await cache.match(request.url, { ignoreSearch: true });
  if (kept) return kept;
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
