// Keeps the studio's own files, so that it opens and works without a network after the first visit. The build fills in the version and the list.
const VERSION = 'VERSION';
const ALL_FILES = /* FILES */ [];
// Of the two builds of ONNX Runtime this browser loads one (runtime/web-build.ts).
const UNUSED_BUILD = 'Suspending' in WebAssembly ? '.asyncify.' : '.jspi.';
const FILES = ALL_FILES.filter((file) => !file.includes(UNUSED_BUILD));

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(VERSION)
      // Most files came moments ago with the page: the browser's own cache gives them again.
      .then((cache) => cache.addAll(FILES.map((file) => new URL(file, self.registration.scope).href)))
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

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  event.respondWith(answer(request));
});

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
