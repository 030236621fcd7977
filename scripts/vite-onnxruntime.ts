import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plugin } from 'vite';

/** The files that the entries `onnxruntime-web/jspi` and `onnxruntime-web/webgpu` (the same for browsers without JSPI) load at run time. */
const FILES = ['jspi', 'asyncify'].flatMap((build) => [
  `ort-wasm-simd-threaded.${build}.mjs`,
  `ort-wasm-simd-threaded.${build}.wasm`,
]);
const SOURCE = join(import.meta.dirname, '../node_modules/onnxruntime-web/dist');

/** Serves ONNX Runtime's WebAssembly from our own origin under `ort/`: from node_modules while developing, copied beside the studio when built. */
export function onnxRuntimeFiles(): Plugin {
  return {
    name: 'espalier:onnxruntime-files',
    configureServer(server) {
      server.middlewares.use(async (request, response, next) => {
        const file = FILES.find(
          (name) => new URL(request.url ?? '/', 'http://host').pathname === `${server.config.base}ort/${name}`,
        );
        if (!file) return next();
        const path = join(SOURCE, file);
        response.setHeader('Content-Type', file.endsWith('.wasm') ? 'application/wasm' : 'text/javascript');
        response.setHeader('Content-Length', (await stat(path)).size);
        for (const [name, value] of Object.entries(server.config.server.headers ?? {}))
          if (value !== undefined) response.setHeader(name, value);
        createReadStream(path).pipe(response);
      });
    },
    async generateBundle() {
      if (this.environment.config.consumer !== 'client' || this.environment.config.isWorker) return;
      for (const file of FILES)
        this.emitFile({ type: 'asset', fileName: `ort/${file}`, source: await readFile(join(SOURCE, file)) });
    },
  };
}
