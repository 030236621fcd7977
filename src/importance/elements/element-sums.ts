import { only, type Programs } from '../../architecture/programs.ts';
import type { DeviceWeights } from '../../architecture/weights.ts';
import type { DeviceTensor, Runtime } from '../../runtime/runtime.ts';
import type { LinearMember } from '../structures/linear-members.ts';
import { joinWindows, type ProgressSums, splitWindows } from '../sums/layer-progress.ts';
import { elementReductionGraph } from './element-graph.ts';
import type { ElementTotals } from './stage.ts';

/** The sums over windows of w g (`first/<weight>`) and w^2 g^2 (`second/<weight>`) of every member, as tensors of the runtime. */

/** Zeroed tensors of the members' shapes. */
export function allocateSums(
  runtime: Runtime,
  members: readonly LinearMember[],
  weights: DeviceWeights,
): Record<string, DeviceTensor> {
  const entries = members.flatMap(({ weight }) => {
    const { shape } = only(weights.tensors, weight);
    return [`first/${weight}`, `second/${weight}`].map((name) => [name, runtime.allocate('float32', shape)] as const);
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
    using tensor = only(outputs, name);
    arrays.push((await runtime.read(tensor)).data as Float32Array);
  }
  return arrays;
}

/** The sums and the magnitudes of windows as `ElementStage.progress` gives them. */
export async function readProgress(
  runtime: Runtime,
  sums: Readonly<Record<string, DeviceTensor>>,
  absolute: ReadonlyMap<string, readonly Float32Array[]>,
): Promise<Map<string, Float32Array>> {
  const found = new Map([...absolute].map(([weight, windows]) => [`magnitudes/${weight}`, joinWindows(windows)]));
  for (const [name, tensor] of Object.entries(sums)) found.set(name, (await runtime.read(tensor)).data as Float32Array);
  return found;
}

/** Puts back what `readProgress` gave. */
export async function writeProgress(
  runtime: Runtime,
  sums: Readonly<Record<string, DeviceTensor>>,
  absolute: ReadonlyMap<string, Float32Array[]>,
  progress: ProgressSums,
  windows: number,
): Promise<void> {
  for (const [weight, arrays] of absolute) arrays.push(...splitWindows(progress.get(`magnitudes/${weight}`), windows));
  for (const [name, tensor] of Object.entries(sums))
    await runtime.write(tensor, progress.get(name) ?? new Float32Array());
}

export async function readSums(
  runtime: Runtime,
  members: readonly LinearMember[],
  sums: Record<string, DeviceTensor>,
  order: 'first' | 'second',
): Promise<ReadonlyMap<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  for (const { weight } of members)
    found.set(weight, (await runtime.read(only(sums, `${order}/${weight}`))).data as Float32Array);
  return found;
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
      first: only(sums, `first/${weight}`),
      second: only(sums, `second/${weight}`),
      scale,
    });
    const names = ['elementFirst', 'elementSecond', 'elementMixed'];
    const [elementFirst = [], elementSecond = [], elementMixed = []] = await readAll(programs.runtime, outputs, names);
    totals.set(weight, { elementFirst, elementSecond, elementMixed });
  }
  return totals;
}
