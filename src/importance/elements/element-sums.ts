import { type Programs, singleOutput } from '../../architecture/programs.ts';
import type { DeviceWeights } from '../../architecture/weights.ts';
import type { DeviceTensor, Runtime } from '../../runtime/runtime.ts';
import type { LinearMember } from '../structures/linear-members.ts';
import type { Numbers } from '../sums/sum-table.ts';
import { elementReductionGraph } from './element-graph.ts';
import { type ElementTotals, WEIGHT_SUMS, type WeightSum } from './stage.ts';

/** The sums over windows of w g (`first/<weight>`) and w^2 g^2 (`second/<weight>`) of every member, as tensors of the runtime. */

/** Zeroed tensors of the members' shapes. */
export function allocateSums(
  runtime: Runtime,
  members: readonly LinearMember[],
  weights: DeviceWeights,
): Record<string, DeviceTensor> {
  const entries = members.flatMap(({ weight }) => {
    const { shape } = singleOutput(weights.tensors, weight);
    return WEIGHT_SUMS.map((sum) => [`${sum}/${weight}`, runtime.allocate('float32', shape)] as const);
  });
  return Object.fromEntries(entries);
}

/** The outputs `names` of a run, read and freed. */
export async function readAll(
  runtime: Runtime,
  outputs: Record<string, DeviceTensor>,
  names: readonly string[],
): Promise<Float32Array[]> {
  const arrays: Float32Array[] = [];
  for (const name of names) {
    using tensor = singleOutput(outputs, name);
    arrays.push((await runtime.read(tensor)).data as Float32Array);
  }
  return arrays;
}

/** Puts back sums of single weights. */
export async function writeSums(
  runtime: Runtime,
  members: readonly LinearMember[],
  tensors: Readonly<Record<string, DeviceTensor>>,
  sums: (sum: WeightSum, weight: string) => Numbers,
): Promise<void> {
  for (const { weight } of members)
    for (const sum of WEIGHT_SUMS) await runtime.write(singleOutput(tensors, `${sum}/${weight}`), sums(sum, weight));
}

/** One of them. */
export async function readSum(
  runtime: Runtime,
  tensors: Record<string, DeviceTensor>,
  sum: WeightSum,
  weight: string,
): Promise<Float32Array> {
  return (await runtime.read(singleOutput(tensors, `${sum}/${weight}`))).data as Float32Array;
}

/** Reduces the sums of every member to channels. */
export async function reduceSums(
  programs: Programs,
  members: readonly LinearMember[],
  sums: Record<string, DeviceTensor>,
  windows: number,
): Promise<Map<string, ElementTotals>> {
  const totals = new Map<string, ElementTotals>();
  using scale = programs.runtime.upload({ dataType: 'float32', shape: [], data: Float32Array.of(1 / windows) });
  for (const { weight, axis } of members) {
    const session = await programs.session(`element reduction ${axis}`, () => elementReductionGraph(axis));
    const outputs = await session.run({
      first: singleOutput(sums, `first/${weight}`),
      second: singleOutput(sums, `second/${weight}`),
      scale,
    });
    const names = ['elementFirst', 'elementSecond', 'elementMixed'];
    const [elementFirst = [], elementSecond = [], elementMixed = []] = await readAll(programs.runtime, outputs, names);
    totals.set(weight, { elementFirst, elementSecond, elementMixed });
  }
  return totals;
}
