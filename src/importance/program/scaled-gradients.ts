import { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph } from '../../onnx/graph.ts';

/** What the largest gradient that enters a layer becomes: half precision has 12 powers of two above it for what it grows by inside, and 28 below for the small ones. */
const LARGEST = 16;

/** The output [] of a scaled program by which its gradients are divided: those that it gives out for further sums are scaled still. */
export const INVERSE_SCALE = 'inverseScale';

/**
 * A score program for half precision: `outputGradient` is scaled as it enters, so that its largest value is 16, and `gradient/hidden`, `signed/…`, `elements/…` and the energies of gradients are scaled
 * back, in single precision (loss scaling, Micikevicius et al. 2018, with a factor of each batch and layer). Gradients dY that are outputs under their own names stay scaled; `inverseScale` [] is
 * what to multiply them by.
 */
export function scaledGradients(graph: Graph): Graph {
  const scale = new GraphBuilder('scale');
  const declared = graph.inputs.find(({ name }) => name === 'outputGradient');
  scale.input('outputGradient', 'float32', declared?.shape ?? []);
  const rows = scale.add('ReduceMax', [scale.add('Abs', ['outputGradient']), scale.integers([-1])], { keepdims: 0 });
  const largest = scale.add('ReduceMax', [rows, scale.integers([0, 1])], { keepdims: 0 });
  const positive = scale.add('Add', [largest, scale.constant([1e-30])]);
  const inverse = scale.add('Mul', [positive, scale.constant([1 / LARGEST])], {}, { name: INVERSE_SCALE });
  const scaled = scale.add('Mul', ['outputGradient', scale.add('Reciprocal', [inverse])], {}, { name: 'scaled' });
  const prefix = scale.build();
  const prefixed = (name: string) => (name === 'outputGradient' || name === INVERSE_SCALE ? name : `scale/${name}`);

  const powers = new Map(graph.outputs.map(({ name }) => [name, powerOf(name)]));
  const renamed = (name: string) =>
    name === 'outputGradient' ? prefixed(scaled) : (powers.get(name) ?? 0) > 0 ? `${name}/scaled` : name;
  const unscaled = graph.outputs.flatMap(({ name }) => {
    const power = powers.get(name) ?? 0;
    return Array.from({ length: power }, (_, step) => ({
      name: `unscale/${name}/${step}`,
      operator: 'Mul',
      domain: '',
      inputs: [step === 0 ? renamed(name) : `${name}/scaled/${step}`, INVERSE_SCALE],
      outputs: [step + 1 === power ? name : `${name}/scaled/${step + 1}`],
      attributes: {},
    }));
  });
  return {
    ...graph,
    outputs: [...graph.outputs, { name: INVERSE_SCALE, dataType: 'float32', shape: [] }],
    initializers: new Map([
      ...graph.initializers,
      ...[...prefix.initializers].map(([name, value]) => [prefixed(name), value] as const),
    ]),
    nodes: [
      ...prefix.nodes.map((node) => ({
        ...node,
        name: `scale/${node.name}`,
        inputs: node.inputs.map(prefixed),
        outputs: node.outputs.map(prefixed),
      })),
      ...graph.nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map(renamed),
        outputs: node.outputs.map(renamed),
      })),
      ...unscaled,
    ],
  };
}

/** How often the scale is in an output. */
function powerOf(output: string): number {
  if (output.startsWith('energy/gradient/')) return 2;
  return output === 'gradient/hidden' || /^(signed|elements)\//.test(output) ? 1 : 0;
}
