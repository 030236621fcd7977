import { quantiseBlocks } from '../src/export/quantise.ts';
import { GraphBuilder } from '../src/onnx/builder.ts';
import type { Initializer } from '../src/onnx/graph.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import type { Runtime, Session } from '../src/runtime/runtime.ts';

const HIDDEN = 576;
const WIDTHS = [1120, 1136, 1144, 1148, 1150, 1151] as const;
const COPIES = 8;
const TOKENS = [1, 64] as const;
type Kind = 'float32' | 'q8' | 'q4';

/**
 * What a pruned width costs on the CPU: the up and down projections of an MLP at widths that are multiples of 32, 16, 8, 4, 2 and 1, decoding one
 * token and reading 64. Prints the time per neuron relative to the multiple of 32; the fastest of many runs, one thread.
 */
export async function run(): Promise<void> {
  using runtime = await createNodeRuntime({ threads: 1 });
  for (const kind of ['float32', 'q8', 'q4'] as const) {
    for (const tokens of TOKENS) {
      const sessions: Session[] = [];
      for (const width of WIDTHS) sessions.push(await runtime.createSession(mlp(kind, width), { label: `${kind} ${width}` }));
      const best = await fastest(runtime, sessions, tokens);
      const perNeuron = best.map((milliseconds, index) => milliseconds / (WIDTHS[index] ?? 1));
      const relative = perNeuron.map((value, index) => `${WIDTHS[index]}: ${(value / (perNeuron[0] ?? 1)).toFixed(2)}`);
      console.log(
        `${kind}, ${tokens} ${tokens === 1 ? 'token' : 'tokens'}: ${((best[0] ?? 0) / COPIES).toFixed(3)} ms at 1120; time per neuron relative to it ${relative.join(', ')}`,
      );
      for (const session of sessions) session.dispose();
    }
  }
}

async function fastest(runtime: Runtime, sessions: readonly Session[], tokens: number): Promise<number[]> {
  using input = runtime.upload({ dataType: 'float32', shape: [tokens, HIDDEN], data: new Float32Array(tokens * HIDDEN).fill(0.1) });
  const best = sessions.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < 25; round++) {
    for (const [index, session] of sessions.entries()) {
      const started = performance.now();
      const { output } = await session.run({ input });
      best[index] = Math.min(best[index] ?? 0, performance.now() - started);
      output?.dispose();
    }
  }
  return best;
}

/** `COPIES` pairs of projections one after the other, so that weights come from memory as in a model. */
function mlp(kind: Kind, width: number) {
  const builder = new GraphBuilder('mlp');
  let value = builder.input('input', 'float32', ['tokens', HIDDEN]);
  for (let copy = 0; copy < COPIES; copy++) {
    value = project(builder, kind, value, `up${copy}`, HIDDEN, width);
    value = project(builder, kind, value, `down${copy}`, width, HIDDEN);
  }
  builder.output(value, 'float32', ['tokens', HIDDEN], 'output');
  return builder.build();
}

function project(builder: GraphBuilder, kind: Kind, input: string, name: string, K: number, N: number): string {
  const weights = Float32Array.from({ length: N * K }, (_, index) => Math.sin(index) / Math.sqrt(K));
  const add = (suffix: string, dataType: Initializer['dataType'], shape: readonly number[], data: Float32Array | Uint8Array) =>
    builder.initializer(`${name}${suffix}`, {
      dataType,
      shape,
      contents: { kind: 'bytes', bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) },
    });
  if (kind === 'float32') return builder.add('MatMul', [input, add('', 'float32', [K, N], weights)]);
  const bits = kind === 'q8' ? 8 : 4;
  const { values, scales, zeroPoints } = quantiseBlocks(weights, K, bits, 32);
  const blocks = Math.ceil(K / 32);
  const parts = [
    add('values', 'uint8', [N, blocks, 4 * bits], values),
    add('scales', 'float32', [N, blocks], scales),
    add('zeros', 'uint8', [N, Math.ceil((blocks * bits) / 8)], zeroPoints),
  ];
  return builder.add('MatMulNBits', [input, ...parts], { K, N, bits, block_size: 32, accuracy_level: 4 }, { domain: 'com.microsoft' });
}
