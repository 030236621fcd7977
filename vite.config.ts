import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';
import { licences } from './scripts/vite-licences.ts';
import { offline } from './scripts/vite-offline.ts';
import { onnxRuntimeFiles } from './scripts/vite-onnxruntime.ts';
import { policyInPage } from './scripts/vite-policy.ts';
import { ISOLATION_HEADERS, STUDIO_HEADERS } from './src/cli/security-headers.ts';

/**
 * The studio: served while developing, built into dist/studio. With `--mode e2e` it is built together with the pages of the browser tests, elsewhere.
 * The command line and the library are built by scripts/build-library.mjs.
 */
export default defineConfig(({ mode }) => {
  const told = licences();
  return {
    // Whatever the working directory is.
    root: import.meta.dirname,
    // Relative, so that the built studio runs under any path of any host.
    base: './',
    plugins: [
      react(),
      onnxRuntimeFiles(),
      policyInPage(STUDIO_HEADERS['Content-Security-Policy'] ?? ''),
      told.page,
      offline('src/studio/service-worker.js', ISOLATION_HEADERS),
    ],
    // The entry of onnxruntime-web without WebAssembly glue inside; the glue is loaded from ort/ with the rest.
    resolve: {
      conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions],
      // Test pages import the library as pages of others do.
      ...(mode === 'e2e' && { alias: { 'espalier/web': join(import.meta.dirname, 'src/web.ts') } }),
    },
    worker: { format: 'es', plugins: told.worker },
    optimizeDeps: { exclude: ['onnxruntime-web'] },
    build: {
      outDir: mode === 'e2e' ? 'node_modules/.cache/e2e' : 'dist/studio',
      target: 'es2023',
      chunkSizeWarningLimit: 2000,
      rolldownOptions: mode === 'e2e' ? { input: testPages() } : {},
    },
    server: { headers: ISOLATION_HEADERS },
    preview: { headers: STUDIO_HEADERS },
  };
});

function testPages(): string[] {
  const folder = join(import.meta.dirname, 'e2e/pages');
  const pages = readdirSync(folder).filter((name) => name.endsWith('.html'));
  return [join(import.meta.dirname, 'index.html'), ...pages.map((name) => join(folder, name))];
}
