import { DeviceLostError } from '../../../errors.ts';
import { createNodeRuntime } from '../../../runtime/node.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import { createEngine, type Platform } from '../../engine.ts';

/** A runtime that says it is WebGPU and computes on the CPU, with the faults of a graphics card. */
export interface GraphicsCard {
  readonly runtime: Runtime;
  /** Every run from now on fails as on a lost device. */
  lose(): void;
  /** Factor of all logits that decoders give; 1 is right. */
  distortion: number;
  /** Logits that decoders gave. */
  readonly answers: number;
}

export async function graphicsCard(): Promise<GraphicsCard> {
  const runtime = await createNodeRuntime({ threads: 2 });
  let [isLost, distortion, answers] = [false, 1, 0];
  Object.defineProperties(runtime, { backend: { value: 'webgpu' }, description: { value: 'WebGPU on a test card' } });
  const createSession = runtime.createSession.bind(runtime);
  runtime.createSession = async (...call) => {
    const session = await createSession(...call);
    const run = session.run.bind(session);
    session.run = async (...feeds) => {
      if (isLost) throw new DeviceLostError('The graphics device was lost (injected by the test).');
      const outputs = await run(...feeds);
      const { logits } = outputs;
      if (!logits || !session.inputNames.some((name) => name.startsWith('past_key_values'))) return outputs;
      answers += 1;
      if (distortion === 1) return outputs;
      const { data, shape, dataType } = await runtime.read(logits);
      logits.dispose();
      return {
        ...outputs,
        logits: runtime.upload({ dataType, shape, data: (data as Float32Array).map((value) => value * distortion) }),
      };
    };
    return session;
  };
  return {
    runtime,
    lose: () => {
      isLost = true;
    },
    get distortion() {
      return distortion;
    },
    set distortion(factor) {
      distortion = factor;
    },
    get answers() {
      return answers;
    },
  };
}

/** An engine on graphics cards, one after the other as they are asked for, and on WebAssembly, which here is the CPU. */
export function engineOn(cards: readonly GraphicsCard[], platform: Pick<Platform, 'open'>) {
  const asked: string[] = [];
  const none = async () => {
    throw new Error('There is no hub in this test.');
  };
  const engine = createEngine({
    support: async () => ({ available: true, reason: undefined, adapter: 'a test card', software: false, checks: [] }),
    async createRuntime(backend) {
      asked.push(backend);
      if (backend === 'wasm') return createNodeRuntime({ threads: 2 });
      const card = cards[asked.filter((name) => name === 'webgpu').length - 1];
      if (!card) throw new DeviceLostError('The browser offers no graphics adapter.');
      return card.runtime;
    },
    ...platform,
    ...{ offer: none, stored: async () => [], forget: none },
  });
  return { engine, asked };
}
