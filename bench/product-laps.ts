import type { Graph } from '../src/onnx/graph.ts';
import type { Runtime, Session } from '../src/runtime/runtime.ts';
import { type MatrixKind, mlpGraph } from './mlp-graph.ts';

/** One graph of products to time. */
export interface ProductCase {
  readonly kind: MatrixKind;
  readonly hidden: number;
  readonly width: number;
  readonly tokens: number;
}

/** Milliseconds of the fastest run of each case, run in turn, output read; infinite for float16 on a device that does not compute in it. */
export async function fastestProducts(
  runtime: Runtime,
  cases: readonly ProductCase[],
  rounds: number,
): Promise<number[]> {
  const sessions: Session[] = [];
  for (const { kind, hidden, width } of cases) {
    const graph: Graph = mlpGraph(kind, hidden, width);
    sessions.push(await runtime.createSession(graph, { label: `${kind.format} ${width}` }));
  }
  const best = cases.map(() => Number.POSITIVE_INFINITY);
  try {
    for (let round = -1; round < rounds; round++) {
      for (const [index, { kind, hidden, tokens }] of cases.entries()) {
        const count = tokens * hidden;
        using input =
          kind.format === 'f16'
            ? runtime.upload({
                dataType: 'float16',
                shape: [tokens, hidden],
                data: new Uint16Array(count).fill(0x2e66),
              })
            : runtime.upload({ dataType: 'float32', shape: [tokens, hidden], data: new Float32Array(count).fill(0.1) });
        const started = performance.now();
        const { output } = await (sessions[index] as Session).run({ input }).catch((error: unknown) => {
          if (kind.format === 'f16') return { output: undefined };
          throw error;
        });
        if (!output) continue;
        await runtime.read(output);
        if (round >= 0) best[index] = Math.min(best[index] ?? 0, performance.now() - started);
        output.dispose();
      }
    }
  } finally {
    for (const session of sessions) session.dispose();
  }
  return best;
}
