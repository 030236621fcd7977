import { floatToHalf, halfToFloat } from '../checkpoint/half.ts';
import type { DataType, Graph } from '../onnx/graph.ts';
import { halfPrecision } from '../passes/half-precision.ts';
import type { HostTensor } from '../runtime/runtime.ts';

/** What block programs compute in: single precision; or half precision for weights, states, activations and products, with single precision for all that is summed, normalised or exponentiated. */
export type Precision = 'f32' | 'f16';

/** Inputs with several axes that stay in single precision: tables and mask, and gradients between layers, which are scaled anew in each. */
const SINGLE: ReadonlySet<string> = new Set(['cosine', 'sine', 'mask', 'outputGradient']);

/** Type of a weight or a state of this shape. Vectors (norms, biases) stay in single precision. */
function tensorType(precision: Precision, shape: readonly unknown[]): DataType {
  return precision === 'f16' && shape.length > 1 ? 'float16' : 'float32';
}

/**
 * A program of an architecture, or one that is made from it, in a precision. In half precision its weights and states are float16, and so are outputs that are states (`hidden`, `output`) or have a row for
 * each token (`rows`, …); all others stay float32.
 */
export function inPrecision(graph: Graph, precision: Precision): Graph {
  if (precision === 'f32') return graph;
  const half = new Set([
    ...graph.inputs.filter(({ name, shape }) => !SINGLE.has(name) && shape.length > 1).map(({ name }) => name),
    ...graph.outputs
      .filter(({ name, shape }) => name === 'hidden' || name === 'output' || shape[0] === 'rows')
      .map(({ name }) => name),
  ]);
  return halfPrecision(graph, (name) => half.has(name));
}

/** A float32 tensor of the host as the programs read it. Numbers beyond 65,504 become infinite. */
export function narrowed(tensor: HostTensor, precision: Precision): HostTensor {
  if (tensorType(precision, tensor.shape) === 'float32' || tensor.dataType !== 'float32') return tensor;
  return { dataType: 'float16', shape: tensor.shape, data: floatToHalf(tensor.data as Float32Array) };
}

/** The same in float32. */
export function widened(tensor: HostTensor): HostTensor {
  if (tensor.dataType !== 'float16') return tensor;
  return { dataType: 'float32', shape: tensor.shape, data: halfToFloat(tensor.data as Uint16Array) };
}
