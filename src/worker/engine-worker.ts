import '../symbol-dispose.ts';
import { forgetModel, offerFromHub, openInBrowser, storedModels } from '../library/browser-models.ts';
import { siteFolder } from '../runtime/site.ts';
import { createWebRuntime, webgpuSupport } from '../runtime/web.ts';
import { hasOriginFiles, originFile } from './engine/kept-file.ts';
import { createEngine } from './engine.ts';
import { probed } from './probe.ts';
import { serve } from './rpc.ts';

const base = siteFolder() ?? new URL(globalThis.location.origin);

serve(
  createEngine({
    support: webgpuSupport,
    createRuntime: async (backend) => probed(await createWebRuntime({ backend })),
    keepsFiles: hasOriginFiles,
    open: (source, options) => openInBrowser(source, options, base),
    offer: offerFromHub,
    stored: storedModels,
    forget: forgetModel,
    scoreState: originFile('score-state.safetensors'),
    training: originFile('training-state'),
  }),
);
