/**
 * Counts what a device is told to run, by the label of its shader: ONNX Runtime labels each with the name of its operator's program. Works on WebGPU's own classes, and knows the shaders that are made
 * after it, so make one only, before the first session.
 */
export class DispatchCounter {
  readonly #counts = new Map<string, number>();

  constructor() {
    const counts = this.#counts;
    const names = new WeakMap<GPUComputePipeline, string>();
    const running = new WeakMap<GPUComputePassEncoder, string>();
    const { prototype: device } = GPUDevice;
    const { createComputePipeline, createComputePipelineAsync } = device;
    const named = (pipeline: GPUComputePipeline, { compute }: GPUComputePipelineDescriptor) => {
      names.set(pipeline, compute.module.label || 'unnamed');
      return pipeline;
    };
    device.createComputePipeline = function (descriptor) {
      return named(createComputePipeline.call(this, descriptor), descriptor);
    };
    device.createComputePipelineAsync = async function (descriptor) {
      return named(await createComputePipelineAsync.call(this, descriptor), descriptor);
    };
    const { prototype: pass } = GPUComputePassEncoder;
    const { setPipeline, dispatchWorkgroups, dispatchWorkgroupsIndirect } = pass;
    const count = (encoder: GPUComputePassEncoder) => {
      const name = running.get(encoder) ?? 'unnamed';
      counts.set(name, (counts.get(name) ?? 0) + 1);
    };
    pass.setPipeline = function (pipeline) {
      running.set(this, names.get(pipeline) ?? 'unnamed');
      return setPipeline.call(this, pipeline);
    };
    pass.dispatchWorkgroups = function (...sizes) {
      count(this);
      return dispatchWorkgroups.apply(this, sizes);
    };
    pass.dispatchWorkgroupsIndirect = function (...place) {
      count(this);
      return dispatchWorkgroupsIndirect.apply(this, place);
    };
  }

  /** Dispatches by label since the last call, the most frequent first. */
  take(): Record<string, number> {
    const taken = Object.fromEntries([...this.#counts].sort(([, a], [, b]) => b - a));
    this.#counts.clear();
    return taken;
  }
}
