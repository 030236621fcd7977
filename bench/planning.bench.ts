import { perplexity } from '../src/evaluate/perplexity.ts';
import { randomLlama } from '../src/export/testing/random-llama.ts';
import { syntheticScores } from '../src/importance/testing/synthetic-scores.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { makePlan } from '../src/plan/make-plan.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import { median, spread, time } from './measure.ts';

/** Planning time at 30 layers x 1,536 neurons, and sessions that a whole sweep of the ratio compiles. */
export async function run(): Promise<void> {
  const scores = syntheticScores({ layers: 30, attentionGroups: 3, neurons: 1536 });
  const times: number[] = [];
  for (let step = 1; step <= 60; step++)
    times.push(await time(() => makePlan(scores, { target: { kind: 'ratio', value: step / 100 } })));
  console.log(
    `plan, 30 layers x (3 + 1,536) groups: first ${(times[0] ?? 0).toFixed(1)} ms, then ${spread(times.slice(5))} (target at most 16 ms)`,
  );

  using runtime = await createNodeRuntime();
  using open = new OpenModel(runtime, randomLlama({ layers: 4, neurons: 64, keyValueHeads: 4, queryHeads: 8 }));
  const windows = [Int32Array.from({ length: 32 }, (_, index) => index % 64)];
  await perplexity(open.programs, open.store, windows);
  const before = runtime.statistics().sessionsCreated;
  const moves: number[] = [];
  for (let neurons = 60; neurons >= 8; neurons -= 4) {
    const keep = (count: number) => Array.from({ length: count }, (_, index) => index);
    using pruned = open.pruned(
      Array.from({ length: 4 }, (_, layer) => ({ attention: keep(1 + (layer % 4)), mlp: keep(neurons) })),
    );
    moves.push(await time(() => perplexity(pruned.programs, pruned.store, windows)));
  }
  console.log(
    `a sweep of ${moves.length} ratios compiled ${runtime.statistics().sessionsCreated - before} sessions beyond the ${before} of the first; median ${median(moves).toFixed(1)} ms a step`,
  );
}
