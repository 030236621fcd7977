import { httpFolder } from '../checkpoint/http.ts';
import { createWebRuntime, webgpuSupport } from '../runtime/web.ts';
import { probed } from './probe.ts';
import { serveEngine } from './serve.ts';
import { createStudioEngine } from './studio-engine.ts';

serveEngine(
  createStudioEngine({
    support: webgpuSupport,
    createRuntime: async (backend) => probed(await createWebRuntime({ backend })),
    files: ({ id }) => httpFolder(new URL(`${import.meta.env.BASE_URL}models/${id}/`, globalThis.location.origin).href, id),
  }),
);
