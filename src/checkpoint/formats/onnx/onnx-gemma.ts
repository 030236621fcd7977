import type { Graph } from '../../../onnx/graph.ts';
import { initializerOf, type OnnxTensor } from './onnx-matrix.ts';
import { moduleOf } from './onnx-names.ts';

/**
 * Gemma's norms scale by one more than their weights. Exporters fold that into what they store, or add it in the graph: which of the two, the node says that takes the numbers. One that adds a constant gets the
 * weight itself; one that scales gets a number more.
 */
export function gemmaNorms(graph: Graph, constants: ReadonlyMap<string, string>): OnnxTensor[] {
  const found = new Map<string, OnnxTensor>();
  for (const { operator, name, inputs } of graph.nodes) {
    const module = moduleOf(name);
    const isScaled = operator === 'Mul' || /LayerNormalization$/.test(operator);
    if (!module || !/norm$/.test(module) || (!isScaled && operator !== 'Add')) continue;
    for (const input of inputs) {
      const storage = constants.get(input);
      const { shape } = storage === undefined ? { shape: [] } : initializerOf(graph.initializers, storage);
      if (storage === undefined || shape.length !== 1 || (shape[0] ?? 0) < 2) continue;
      const [rows = 0] = shape;
      const part = { storage: { kind: 'plain' as const, name: storage }, firstRow: 0, rows, storedRows: rows };
      found.set(module, { name: `${module}.weight`, shape, parts: [part], offset: isScaled ? 1 : 0 });
    }
  }
  return [...found.values()];
}

/** Whether what is looked up is multiplied afterwards, as Gemma scales its embedding: then the table itself is as in the checkpoint. */
export function scalesItsEmbedding(graph: Graph): boolean {
  const looked = graph.nodes.filter(
    ({ operator, name }) => operator === 'Gather' && moduleOf(name) === 'model.embed_tokens',
  );
  const reaches = (value: string | undefined, depth: number): boolean =>
    depth < 3 &&
    graph.nodes.some(
      ({ operator, inputs, outputs }) =>
        value !== undefined &&
        inputs.includes(value) &&
        (operator === 'Mul' || (operator === 'Cast' && reaches(outputs[0], depth + 1))),
    );
  return looked.some(({ outputs }) => reaches(outputs[0], 0));
}
