import { elementCount } from '../../arrays.ts';
import type { Graph } from '../../onnx/graph.ts';
import { randomNumbers, tensor } from '../../operators/testing/host-tensors.ts';
import type { HostTensor } from '../../runtime/runtime.ts';
import { type Bindings, inferShapes, typeOf } from '../infer-shapes.ts';

/** Deterministic numbers in (-1, 1) for every input of a graph; an input called `mask` is causal. */
export function randomFeeds(graph: Graph, bindings: Bindings, seed: number): Record<string, HostTensor> {
  const next = randomNumbers(seed);
  const types = inferShapes(graph, bindings);
  return Object.fromEntries(
    graph.inputs.map(({ name, dataType }) => {
      const { shape } = typeOf(types, name);
      const columns = shape[1] ?? 1;
      const value = (index: number) =>
        name === 'mask' ? (index % columns > Math.floor(index / columns) ? -1e9 : 0) : next();
      return [
        name,
        tensor(
          dataType,
          shape,
          Array.from({ length: elementCount(shape) }, (_, index) => value(index)),
        ),
      ];
    }),
  );
}
