import { batchesOf } from '../../architecture/batches.ts';
import { disposeAll, forwardBlocks } from '../../architecture/forward.ts';
import { singleOutput } from '../../architecture/programs.ts';
import { readWeights } from '../../architecture/weights.ts';
import { overlayCheckpoint, type Replacement } from '../../checkpoint/overlay.ts';
import { MismatchError, UnsupportedError, UsageError } from '../../errors.ts';
import { cosineGraph } from '../../importance/program/score-graph.ts';
import { groupTable } from '../../importance/structures/group-table.ts';
import { type LinearMember, linearMembers } from '../../importance/structures/linear-members.ts';
import type { Scores } from '../../importance/sums/scores.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { makePlan } from '../../plan/make-plan.ts';
import type { LayerPlan, Plan } from '../../plan/plan.ts';
import type { PlanOptions } from '../../plan/plan-options.ts';
import type { LongRunning } from '../../progress.ts';
import type { DeviceTensor } from '../../runtime/runtime.ts';
import { valuesOf } from '../../surgery/compensate.ts';
import { leastSpan, mapped, spanMap } from '../../surgery/replace-me.ts';
import type { OpenModel } from '../open-model.ts';

/** ReplaceMe's choice: as many consecutive blocks as the ratio says, those between which the residual stream changes least by cosine. Throws UsageError for a model that is too shallow. */
export async function replaceMePlan(
  open: OpenModel,
  scores: Scores,
  windows: readonly ArrayLike<number>[],
  ratio: number,
  plan: PlanOptions,
  { signal }: LongRunning,
): Promise<Plan> {
  const { layers, hiddenSize } = open.config;
  const count = Math.round(ratio * layers);
  if (count < 1 || count > layers - 1)
    throw new UsageError(
      `ReplaceMe removes whole blocks and keeps the first; of ${layers} blocks a ratio of ${ratio} leaves it no choice.`,
    );
  const after: DeviceTensor[][] = Array.from({ length: layers }, () => []);
  try {
    const last = await forwardBlocks(open.programs, open.store, batchesOf(windows), {
      signal,
      run: async (weights, hidden, layer) => {
        const output = await open.programs.block(weights, hidden, layer);
        if (layer === 0) hidden.dispose();
        after[layer]?.push(output);
        return output;
      },
    });
    const session = await open.programs.session('block cosine', () => cosineGraph(hiddenSize));
    const cosines: number[] = [];
    for (let layer = 0; layer + count < layers; layer++) {
      let sum = 0;
      for (const [index, before] of (after[layer] ?? []).entries()) {
        const end = after[layer + count]?.[index];
        if (!end) throw new MismatchError(`The forward pass returned ${last.length} batches.`);
        using cosine = singleOutput(await session.run({ before, after: end }), 'cosine');
        sum += (before.shape[0] ?? 1) * Number((await open.runtime.read(cosine)).data[0]);
      }
      cosines.push(sum);
    }
    const start = leastSpan(cosines);
    const table = groupTable(scores.groups);
    const importance = new Float64Array(table.length).fill(1);
    for (const segment of table.segments)
      if (segment.layer >= start && segment.layer < start + count) importance.fill(0, segment.start, segment.end);
    return makePlan(scores, { ...plan, furtherMetrics: new Map([['replace-me', importance]]) });
  } finally {
    for (const states of after) disposeAll(states);
  }
}

/** The model without the blocks that a plan of `replaceMePlan` removes, the down projection before them changed to stand for them (`spanMap`). Owned by the caller. */
export async function replaceBlocks(
  open: OpenModel,
  plan: readonly LayerPlan[],
  windows: readonly ArrayLike<number>[],
  options: LongRunning,
): Promise<OpenModel> {
  const { checkpoint, architecture } = open.model;
  const removed = plan.flatMap(({ mlp }, layer) => (mlp.length === 0 ? [layer] : []));
  const base = (removed[0] ?? 0) - 1;
  const end = removed.at(-1) ?? 0;
  if (base < 0 || end - base !== removed.length)
    throw new MismatchError('The plan does not remove blocks that follow each other, the first block left out.');
  const down = downProjection(open, base);
  const bindings = architecture.blockWeights(base);
  const host = await readWeights(checkpoint, bindings);
  const { hiddenSize: width } = open.config;
  const session = await open.programs.session('span statistics', () => spanGraph(width));
  const products = new Float64Array(width * width);
  const crossing = new Float64Array(width * width);
  // Batch by batch, so that states of few windows are held.
  for (const batch of batchesOf(windows)) {
    const [entering] = await forwardBlocks(open.programs, open.store, [batch], { ...options, layers: base });
    if (!entering) throw new MismatchError('The forward pass returned no states.');
    using before = entering;
    const held: DeviceTensor[] = [];
    try {
      for await (const added of valuesOf(open.programs, base, down.output, host, [before], options)) held.push(added);
      const [added] = held;
      const ends: DeviceTensor[] = [];
      for (const layers of [base + 1, end + 1])
        ends.push(...(await forwardBlocks(open.programs, open.store, [batch], { ...options, layers })));
      held.push(...ends);
      const [after, last] = ends;
      if (!added || !after || !last) throw new MismatchError('The forward pass returned no states.');
      const outputs = await session.run({ added, after, last });
      using first = singleOutput(outputs, 'products');
      using second = singleOutput(outputs, 'crossing');
      add(products, (await open.runtime.read(first)).data as Float32Array);
      add(crossing, (await open.runtime.read(second)).data as Float32Array);
    } finally {
      disposeAll(held);
    }
  }
  const map = spanMap({ products, crossing }, width);
  const replacements = new Map<string, Replacement>();
  for (const { input, tensor, optional } of bindings) {
    const weight = host[input];
    const isBias = input === biasOf(open, base, down);
    if (!weight || (input !== down.weight && !isBias) || (optional && !checkpoint.tensors.has(tensor))) continue;
    replacements.set(tensor, { shape: weight.shape, data: mapped(map, weight.data as Float32Array, width) });
  }
  using pruned = open.pruned(plan);
  return open.withCheckpoint(overlayCheckpoint(pruned.model.checkpoint, replacements));
}

/** The projection that ends the MLP. Throws UnsupportedError where its output is not added to the residual stream as it is. */
function downProjection(open: OpenModel, layer: number): LinearMember {
  const { architecture } = open.programs;
  const block = architecture.block(architecture.kind(layer));
  const structures = open.structuresOf(layer).filter(({ kind }) => kind === 'mlp');
  const down = linearMembers(block, structures).find(({ axis }) => axis === 1);
  const reader = block.nodes.find(({ inputs }) => inputs.includes(down?.output ?? ''));
  if (!down || reader?.operator !== 'Add')
    throw new UnsupportedError(
      `ReplaceMe puts its linear map into the MLP's last projection, whose output ${reader?.operator ?? 'nothing'} reads in this architecture before it is added; compare the method depth instead.`,
    );
  return down;
}

function biasOf(open: OpenModel, layer: number, projection: LinearMember): string | undefined {
  const { architecture } = open.programs;
  const { nodes } = architecture.block(architecture.kind(layer));
  return nodes.find(({ outputs }) => outputs.includes(projection.output))?.inputs[2];
}

function spanGraph(width: number) {
  const builder = new GraphBuilder('span statistics');
  const added = builder.input('added', 'float32', ['rows', width]);
  const after = builder.input('after', 'float32', ['batch', 'tokens', width]);
  const last = builder.input('last', 'float32', ['batch', 'tokens', width]);
  const lost = builder.add('Reshape', [builder.add('Sub', [last, after]), builder.integers([-1, width])]);
  builder.output(builder.add('Gemm', [added, added], { transA: 1 }), 'float32', [width, width], 'products');
  builder.output(builder.add('Gemm', [added, lost], { transA: 1 }), 'float32', [width, width], 'crossing');
  return builder.build();
}

function add(total: Float64Array, part: Float32Array): void {
  for (let index = 0; index < part.length; index++) total[index] = (total[index] as number) + (part[index] as number);
}
