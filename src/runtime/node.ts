import { availableParallelism } from 'node:os';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { UsageError } from '../errors.ts';
import { resolveExternalData } from './external-data.ts';
import { hostMemory } from './host-memory.ts';
import { Ledger } from './ledger.ts';
import { type CreateInnerSession, OnnxRuntime } from './onnx-runtime.ts';
import type { Runtime } from './runtime.ts';

/**
 * The CPU runtime of Node, on onnxruntime-node. Tensors are typed arrays that ONNX Runtime reads and writes without copying.
 * A run blocks the event loop while it computes; between runs timers and signals get their turn.
 * @param options.threads threads within one operator; default: all that the machine offers. Throws UsageError unless a whole number of at least 1.
 */
export async function createNodeRuntime(options: { readonly threads?: number } = {}): Promise<Runtime> {
  const threads = options.threads ?? availableParallelism();
  if (!Number.isInteger(threads) || threads < 1) throw new UsageError(`threads is ${threads}; give a whole number of at least 1.`);
  const ledger = new Ledger();
  const create: CreateInnerSession = async (model, { label, externalData, optimization }) => {
    const sessionOptions: InferenceSession.SessionOptions = {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: optimization ?? 'all',
      externalData: await resolveExternalData(externalData),
      logId: label ?? 'model',
      // Failures are thrown with their message; ONNX Runtime need not print them too.
      logSeverityLevel: 4,
      // Idle threads stop spinning when a run returns, so that the threads of other sessions find the cores free.
      extra: { session: { force_spinning_stop: '1' } },
    };
    return 'path' in model ? InferenceSession.create(model.path, sessionOptions) : InferenceSession.create(model, sessionOptions);
  };
  return new OnnxRuntime({
    backend: 'cpu',
    description: `Node CPU, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    memory: hostMemory(ledger, Tensor, true),
    ledger,
    create,
    behaviour: { survivesFailure: true },
  });
}
