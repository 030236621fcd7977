import { DeviceError, MissingError, OutOfMemoryError } from '../../errors.ts';

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
   * Throws MissingError for a buffer that is not given, OutOfMemoryError for one that is larger than what a kernel binds, and DeviceError with line and column for code that
   * does not compile; a later call compiles it anew.
   */
  async submit(
    kernels: readonly { readonly kernel: Kernel; readonly buffers: Readonly<Record<string, GPUBuffer>> }[],
  ): Promise<void> {
    const compiled = await Promise.all(
      kernels.map(async ({ kernel, buffers }) => ({ kernel, buffers, pipeline: await this.#pipeline(kernel) })),
    );
    const encoder = this.#device.createCommandEncoder({ label: kernels.map(({ kernel }) => kernel.label).join(', ') });
    const uniforms: GPUBuffer[] = [];
    for (const { kernel, buffers, pipeline } of compiled) {
      const uniform = this.#uniform(kernel);
      uniforms.push(uniform);
      const entries = [uniform, ...kernel.buffers.map((name) => this.#bindable(kernel, buffers, name))].map(
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

  #pipeline(kernel: Kernel): Promise<GPUComputePipeline> {
    const { code } = kernel;
    const known = this.#pipelines.get(code);
    if (known) return known;
    const pipeline = this.#compile(kernel).catch((error: unknown) => {
      this.#pipelines.delete(code);
      throw error;
    });
    this.#pipelines.set(code, pipeline);
    return pipeline;
  }

  async #compile({ label, code }: Kernel): Promise<GPUComputePipeline> {
    // In a scope of its own: what is thrown here need not be told by an event, too.
    this.#device.pushErrorScope('validation');
    const module = this.#device.createShaderModule({ label, code });
    const refused = this.#device.popErrorScope();
    const { messages } = await module.getCompilationInfo();
    await refused;
    const errors = messages.filter(({ type }) => type === 'error');
    if (errors.length > 0)
      throw new DeviceError(
        `The kernel ${label} does not compile: ${errors.map(({ lineNum, linePos, message }) => `line ${lineNum}, column ${linePos}: ${message}`).join('; ')}.`,
      );
    return this.#device
      .createComputePipelineAsync({ label, layout: 'auto', compute: { module } })
      .catch((cause: unknown) => {
        throw new DeviceError(
          `The kernel ${label} was refused by the device: ${cause instanceof Error ? cause.message : String(cause)}`,
          { cause },
        );
      });
  }

  #bindable(kernel: Kernel, buffers: Readonly<Record<string, GPUBuffer>>, name: string): GPUBuffer {
    const buffer = given(kernel, buffers, name);
    const most = this.#device.limits.maxStorageBufferBindingSize;
    if (buffer.size > most)
      throw new OutOfMemoryError(
        `The kernel ${kernel.label} needs ${name} of ${buffer.size} bytes at once, but a kernel of this device binds at most ${most}. Use the cpu or wasm backend, or a smaller model.`,
      );
    return buffer;
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
