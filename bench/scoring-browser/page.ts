import { type RandomLlamaOptions, randomLlama } from '../../src/export/testing/random-llama.ts';
import type { ElementEngine } from '../../src/importance/elements/element-stages.ts';
import { importance } from '../../src/importance/importance.ts';
import { OpenModel } from '../../src/library/open-model.ts';
import { createWebRuntime, webgpuSupport } from '../../src/runtime/web.ts';

export interface BrowserScoring {
  /** Milliseconds of scoring by each engine, in turn, after one round that is not counted. */
  run(options: {
    readonly backend: 'webgpu' | 'wasm';
    readonly model: RandomLlamaOptions;
    readonly windows: readonly number[][];
    readonly rounds: number;
  }): Promise<{ readonly device: string; readonly times: Record<ElementEngine | 'none', number[]> }>;
}

const page: BrowserScoring = {
  async run({ backend, model, windows, rounds }) {
    using runtime = await createWebRuntime({ backend });
    const { adapter } = await webgpuSupport();
    using open = new OpenModel(runtime, randomLlama(model));
    const times: Record<ElementEngine | 'none', number[]> = { kernel: [], onnx: [], none: [] };
    for (let round = -1; round < rounds; round++) {
      for (const engine of ['kernel', 'onnx', 'none'] as const) {
        const started = performance.now();
        const how = engine === 'none' ? { metrics: ['vector', 'fisher'] as const } : { elementEngine: engine };
        await importance(open.programs, open.store, windows, { structuresOf: open.structuresOf, ...how });
        if (round >= 0) times[engine].push(performance.now() - started);
      }
    }
    return { device: backend === 'webgpu' ? `${runtime.description} (${adapter})` : runtime.description, times };
  },
};

Object.assign(window, { browserScoring: page });
