import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';
import { onnxRuntimeFiles } from './scripts/vite-onnxruntime.ts';
import { ISOLATION_HEADERS, STUDIO_HEADERS } from './src/cli/security-headers.ts';

/** The studio: served while developing, built into dist/studio. The command line and the library are built by scripts/build-library.mjs. */
export default defineConfig({
  plugins: [react(), onnxRuntimeFiles()],
  // The entry of onnxruntime-web without WebAssembly glue inside; the glue is loaded from ort/ with the rest.
  resolve: { conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions] },
  worker: { format: 'es' },
  optimizeDeps: { exclude: ['onnxruntime-web'] },
  build: { outDir: 'dist/studio', target: 'es2023', chunkSizeWarningLimit: 2000 },
  server: { headers: ISOLATION_HEADERS },
  preview: { headers: STUDIO_HEADERS },
});
