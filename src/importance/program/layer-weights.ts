import type { Programs } from '../../architecture/programs.ts';
import type { WeightStore } from '../../architecture/weight-store.ts';
import { type DeviceWeights, type HostWeights, readWeights, uploadWeights } from '../../architecture/weights.ts';
import type { HostTensor } from '../../runtime/runtime.ts';
import { elementsOf } from './host-view.ts';

/** The weights of one block on the device and on the host. Dispose `device`; `host` is for reading and valid as long. Weights that are resident are read and converted once, not once a run. */
export async function layerWeights(
  programs: Programs,
  store: WeightStore,
  layer: number,
): Promise<{ readonly device: DeviceWeights; readonly host: HostWeights }> {
  if (!store.resident) {
    const host = await readWeights(store.model.checkpoint, store.model.architecture.blockWeights(layer));
    return { device: uploadWeights(programs.runtime, host, programs.precision), host };
  }
  const device = await store.lease(layer);
  const host: Record<string, HostTensor> = {};
  for (const [name, tensor] of Object.entries(device.tensors))
    host[name] = { dataType: tensor.dataType, shape: tensor.shape, data: await elementsOf(programs.runtime, tensor) };
  return { device, host };
}
