import { forgetModel, offerFromHub, openInBrowser, storedModels } from '../../src/library/browser-models.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { createWebRuntime, webgpuSupport } from '../../src/runtime/web.ts';
import { createEngine } from '../../src/worker/engine.ts';
import { probed } from '../../src/worker/probe.ts';
import { serve } from '../../src/worker/rpc.ts';

/** The studio's engine worker, told how wrong WebGPU's results are: every output of the program that scores a layer is off by that part of itself. */
let fault = 0;
new BroadcastChannel('faults').onmessage = ({ data }) => {
  fault = Number(data);
};

serve(
  createEngine({
    support: webgpuSupport,
    createRuntime: async (backend) => {
      new BroadcastChannel('runtimes').postMessage(backend);
      const runtime = await probed(await createWebRuntime({ backend }));
      return backend === 'webgpu' ? faulty(runtime) : runtime;
    },
    open: (source, options) => openInBrowser(source, options, new URL('/', globalThis.location.origin)),
    offer: offerFromHub,
    stored: storedModels,
    forget: forgetModel,
  }),
);

function faulty(runtime: Runtime): Runtime {
  const createSession = runtime.createSession.bind(runtime);
  runtime.createSession = async (model, options) => {
    const session = await createSession(model, options);
    if (!options?.label?.startsWith('score for ')) return session;
    const run = session.run.bind(session);
    session.run = async (feeds, runOptions) => {
      const outputs = await run(feeds, runOptions);
      if (fault === 0) return outputs;
      for (const tensor of Object.values(outputs)) {
        const { data } = await runtime.read(tensor);
        await runtime.write(
          tensor,
          (data as Float32Array).map((value) => value * (1 + fault)),
        );
      }
      return outputs;
    };
    return session;
  };
  return runtime;
}
