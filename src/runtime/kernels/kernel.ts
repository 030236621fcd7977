import { MissingError } from '../../errors.ts';

/** One compute kernel: its WGSL, what it binds, and how many workgroups it runs. Plain data; kernels of equal code share a pipeline. */
export interface Kernel {
  readonly label: string;
  readonly code: string;
  /** Contents of the uniform at binding 0: u32 values, padded to 16 bytes. */
  readonly uniforms: readonly number[];
  /** Names of the storage buffers at bindings 1, 2, … */
  readonly buffers: readonly string[];
  readonly workgroups: readonly [number, number, number];
}

/** Compiles kernels once per device and records them into command buffers. */
export class KernelRunner {
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /**
   * Runs `kernels` one after the other in one submission; each sees what the earlier ones wrote. Call it inside `WebGpuRuntime.exclusive`.
   * Throws MissingError for a buffer that is not given.
   */
  async submit(
    kernels: readonly { readonly kernel: Kernel; readonly buffers: Readonly<Record<string, GPUBuffer>> }[],
  ): Promise<void> {
    const pipelines = await Promise.all(kernels.map(({ kernel }) => this.#pipeline(kernel)));
    const encoder = this.#device.createCommandEncoder({ label: kernels.map(({ kernel }) => kernel.label).join(', ') });
    const uniforms: GPUBuffer[] = [];
    for (const [index, { kernel, buffers }] of kernels.entries()) {
      const pipeline = pipelines[index];
      if (!pipeline) continue;
      const uniform = this.#uniform(kernel);
      uniforms.push(uniform);
      const entries = [uniform, ...kernel.buffers.map((name) => given(kernel, buffers, name))].map(
        (buffer, binding) => ({ binding, resource: { buffer } }),
      );
      const pass = encoder.beginComputePass({ label: kernel.label });
      pass.setPipeline(pipeline);
      pass.setBindGroup(
        0,
        this.#device.createBindGroup({ label: kernel.label, layout: pipeline.getBindGroupLayout(0), entries }),
      );
      pass.dispatchWorkgroups(...kernel.workgroups);
      pass.end();
    }
    this.#device.queue.submit([encoder.finish()]);
    // Destroying is safe now: what was submitted keeps its buffers.
    for (const uniform of uniforms) uniform.destroy();
  }

  #pipeline({ label, code }: Kernel): Promise<GPUComputePipeline> {
    const known = this.#pipelines.get(code);
    if (known) return known;
    const module = this.#device.createShaderModule({ label, code });
    const pipeline = this.#device.createComputePipelineAsync({ label, layout: 'auto', compute: { module } });
    this.#pipelines.set(code, pipeline);
    return pipeline;
  }

  #uniform({ label, uniforms }: Kernel): GPUBuffer {
    const size = Math.ceil(uniforms.length / 4) * 16;
    const buffer = this.#device.createBuffer({
      label: `${label} sizes`,
      size,
      usage: GPUBufferUsage.UNIFORM,
      mappedAtCreation: true,
    });
    new Uint32Array(buffer.getMappedRange()).set(uniforms);
    buffer.unmap();
    return buffer;
  }
}

function given({ label }: Kernel, buffers: Readonly<Record<string, GPUBuffer>>, name: string): GPUBuffer {
  const buffer = buffers[name];
  if (!buffer)
    throw new MissingError(
      `The kernel ${label} needs a buffer ${name}; it was given ${Object.keys(buffers).join(', ') || 'none'}.`,
    );
  return buffer;
}
