import { elementCount } from '../arrays.ts';
import type { Graph } from '../onnx/graph.ts';
import { isFloating } from '../operators/shapes.ts';
import { cut } from '../passes/cut.ts';
import { type Bindings, inferShapes, typeOf } from '../passes/infer-shapes.ts';
import type { DeviceTensor } from '../runtime/runtime.ts';

/**
 * Operators whose results are kept, where they grow with the number of tokens and not with its square: products, and what follows from them without another elementwise
 * step. Giving a value out costs onnxruntime-node a copy, so that what is cheap is computed again, and the probabilities of attention are, from queries and keys.
 */
const KEPT_OPERATORS: ReadonlySet<string> = new Set(['Gemm', 'MatMul', 'Add', 'Concat', 'Transpose']);

/** A block and its backward program where activations are kept. */
export interface KeptGraphs {
  /** Gives `values` out beside its own output. */
  readonly block: Graph;
  /** Reads `values` under their names in the block, and does without what only served to compute them: the only products left are those of gradients, and of queries and keys. */
  readonly gradient: Graph;
  readonly values: readonly string[];
}

/** Makes a block keep what `gradient`, its backward program, would compute again. `bindings`: example sizes of the symbols of both. */
export function keptGraphs(block: Graph, gradient: Graph, bindings: Bindings): KeptGraphs {
  const types = inferShapes(block, bindings);
  const longer = inferShapes(block, { ...bindings, tokens: 2 * (bindings.tokens ?? 1) });
  const given = new Set(block.outputs.map(({ name }) => name));
  const candidates = block.nodes.flatMap(({ operator, outputs: [output = ''] }) => {
    const { dataType, shape } = typeOf(types, output);
    const [once, twice] = [elementCount(shape), elementCount(typeOf(longer, output).shape)];
    const isLinear = twice > once && twice <= 2 * once;
    const isKept = KEPT_OPERATORS.has(operator) && !given.has(output) && isFloating(dataType) && isLinear;
    return isKept ? [{ name: output, dataType, shape: shape.map((_, axis) => `${output}/${axis}`) }] : [];
  });
  const shortened = cut(gradient, candidates);
  const read = new Set(shortened.inputs.map(({ name }) => name));
  const kept = candidates.filter(({ name }) => read.has(name));
  return {
    gradient: shortened,
    block: { ...block, outputs: [...block.outputs, ...kept] },
    values: kept.map(({ name }) => name),
  };
}

/** Sizes of a graph's symbols in a run of it on these tensors. */
export function boundSizes({ inputs }: Graph, feeds: Readonly<Record<string, DeviceTensor>>): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const { name, shape } of inputs) {
    for (const [axis, dimension] of shape.entries())
      if (typeof dimension === 'string') sizes[dimension] = feeds[name]?.shape[axis] ?? 0;
  }
  return sizes;
}
