import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { InferenceSession } from 'onnxruntime-common';
import { MissingError, UsageError } from '../errors.ts';
import { resolveExternalData } from './external-data.ts';
import { hostMemory } from './host-memory.ts';
import { type HelperThread, helperThread, serveCalls } from './kernels/helper-threads.ts';
import { Ledger } from './ledger.ts';
import { type CreateInnerSession, OnnxRuntime } from './onnx-runtime.ts';
import type { Runtime } from './runtime.ts';

export type { Adapter } from './adapter.ts';
export type { Backend, Runtime, RuntimeStatistics } from './runtime.ts';

/** The version that the results were measured on. */
const ONNX_RUNTIME_VERSION = '1.30.0';

/**
 * The CPU runtime of Node, on onnxruntime-node. Tensors are typed arrays that ONNX Runtime reads and writes without copying.
 * A run blocks the event loop while it computes; between runs timers and signals get their turn.
 * @param options.threads threads within one operator; default: all that the machine offers. Throws UsageError unless a whole number of at least 1, and
 * MissingError where the package onnxruntime-node, which is installed on request, is not there.
 */
export async function createNodeRuntime(options: { readonly threads?: number } = {}): Promise<Runtime> {
  const threads = options.threads ?? availableParallelism();
  if (!Number.isInteger(threads) || threads < 1)
    throw new UsageError(`threads is ${threads}; give a whole number of at least 1.`);
  const onnxRuntime = await loadOnnxRuntime();
  const ledger = new Ledger();
  const create: CreateInnerSession = async (model, { label, externalData, optimization, oneThread }) => {
    const sessionOptions: InferenceSession.SessionOptions = {
      executionProviders: ['cpu'],
      intraOpNumThreads: oneThread ? 1 : threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: optimization ?? 'all',
      externalData: await resolveExternalData(externalData),
      logId: label ?? 'model',
      // Failures are thrown with their message; ONNX Runtime need not print them too.
      logSeverityLevel: 4,
      // Idle threads stop spinning when a run returns, so that the threads of other sessions find the cores free.
      extra: { session: { force_spinning_stop: '1' } },
    };
    return 'path' in model
      ? onnxRuntime.InferenceSession.create(model.path, sessionOptions)
      : onnxRuntime.InferenceSession.create(model, sessionOptions);
  };
  return new OnnxRuntime({
    backend: 'cpu',
    description: `Node CPU, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    memory: hostMemory(ledger, onnxRuntime.Tensor, true),
    ledger,
    helpers: { count: threads - 1, start: startHelper },
    create,
    behaviour: { survivesFailure: true },
  });
}

/** It is an optional peer of the published package: pages have no use for its 290 MB. */
async function loadOnnxRuntime(): Promise<typeof import('onnxruntime-node')> {
  try {
    return await import('onnxruntime-node');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === 'ERR_MODULE_NOT_FOUND' ? 'is not installed' : `cannot be loaded (${message.split('\n')[0]})`;
    throw new MissingError(
      `The cpu backend needs the package onnxruntime-node, which ${reason}. Install it with "npm install onnxruntime-node@${ONNX_RUNTIME_VERSION} --ignore-scripts" (its script only downloads CUDA, which is not used), or use the wasm backend.`,
      { cause },
    );
  }
}

/** Node starts a thread from text as well as from a file, so that none has to be found beside a bundle. */
const HELPER = `const { parentPort } = require('node:worker_threads');
(${serveCalls})((handle) => parentPort.on('message', handle), (problem) => parentPort.postMessage(problem));`;

function startHelper(): HelperThread {
  const worker = new Worker(HELPER, { eval: true, name: 'espalier-kernels' });
  // A thread that waits keeps no process alive; one that computes does.
  worker.unref();
  const { thread, receive, fail } = helperThread(
    (message) => worker.postMessage(message),
    () => void worker.terminate(),
    (busy) => (busy ? worker.ref() : worker.unref()),
  );
  worker.on('message', receive);
  worker.on('error', (error) => fail(error.message));
  worker.on('exit', (code) => fail(`it ended with code ${code}`));
  return thread;
}
