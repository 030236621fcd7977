import { type RandomLlamaOptions, randomLlama } from '../../src/export/testing/random-llama.ts';
import { importance } from '../../src/importance/importance.ts';
import type { Metric } from '../../src/importance/sums/scores.ts';
import { OpenModel } from '../../src/library/open-model.ts';
import { createWebRuntime, webgpuSupport } from '../../src/runtime/web.ts';
import type { Engine } from '../../src/worker/engine.ts';
import { connect } from '../../src/worker/rpc.ts';

export interface PlainScores {
  readonly loss: number;
  readonly layers: readonly Record<'attention' | 'mlp', Partial<Record<Metric, number[]>>>[];
  /** Tensors on the device before and after. */
  readonly leaked: number;
}

export interface WorkerScores {
  readonly backend: string;
  /** Sentences that the score file carries. */
  readonly notes: readonly string[];
  /** Runtimes that scoring started beside the one that it runs on. */
  readonly started: readonly string[];
  readonly largest: number;
}

/** What the test asks of this page. */
export interface ScoresPage {
  support: typeof webgpuSupport;
  score(backend: 'webgpu' | 'wasm', model: RandomLlamaOptions, windows: readonly number[][]): Promise<PlainScores>;
  /** Scores the studio's model on WebGPU in the studio's worker, once for each of `faults`: by that part of its results the program for a layer is wrong. */
  scoreInWorker(faults: readonly number[]): Promise<readonly WorkerScores[]>;
}

const page: ScoresPage = {
  support: webgpuSupport,
  async score(backend, model, windows) {
    using runtime = await createWebRuntime({ backend });
    const before = runtime.statistics().liveTensors;
    let scores: Omit<PlainScores, 'leaked'>;
    {
      using opened = new OpenModel(runtime, randomLlama(model), { residentBytes: 0 });
      const { loss, layers } = await importance(opened.programs, opened.store, windows, {
        structuresOf: opened.structuresOf,
      });
      scores = { loss, layers: layers.map(({ attention, mlp }) => ({ attention: plain(attention), mlp: plain(mlp) })) };
    }
    return { ...scores, leaked: runtime.statistics().liveTensors - before };
  },
  async scoreInWorker(faults) {
    const started: string[] = [];
    const runtimes = new BroadcastChannel('runtimes');
    runtimes.onmessage = ({ data }) => started.push(String(data));
    const faulty = new BroadcastChannel('faults');
    const worker = new Worker(new URL('./faulty-engine-worker.ts', import.meta.url), { type: 'module' });
    try {
      const engine = connect<Engine>(worker);
      const { backend } = await engine.backend('webgpu');
      await engine.openModel({ kind: 'embedded', id: 'stories' });
      const text = await (await fetch('/models/stories/calibration.txt')).text();
      const results: WorkerScores[] = [];
      for (const fault of faults) {
        faulty.postMessage(fault);
        started.length = 0;
        const { engine: described, layers } = await engine.score({
          text,
          source: 'calibration',
          windows: 1,
          length: 8,
          seed: 0,
        });
        const largest = Math.max(...layers.flatMap(({ mlp }) => Array.from(mlp['element-second'] ?? [])));
        results.push({ backend, notes: described.notes ?? [], started: [...started], largest });
      }
      return results;
    } finally {
      worker.terminate();
      runtimes.close();
      faulty.close();
    }
  },
};

function plain(module: Partial<Record<Metric, Float32Array>>): Partial<Record<Metric, number[]>> {
  return Object.fromEntries(Object.entries(module).map(([metric, values]) => [metric, Array.from(values)]));
}

Object.assign(window, { scoresPage: page });
