import type { GraphBuilder } from '../onnx/builder.ts';

/** How a mixture of experts chooses for a token, and how much each chosen expert counts. */
export interface ExpertDesign {
  /** Experts that a token goes to; all where a layer has fewer. */
  readonly perToken: number;
  readonly scores: 'softmax' | 'sigmoid';
  /** Added to the sum that the chosen scores are divided by; undefined: they are not divided. */
  readonly normalisation: number | undefined;
  /** Factor on what all experts give. */
  readonly factor: number;
}

/**
 * How much each expert counts for each token, zero for those that it does not go to: [..., experts] from the router's `logits` [..., experts], of which the last axis is `axis`.
 * `selection` [experts] is added to the scores for the choice alone; `number` gives a scalar of the graph's type. Which experts are chosen is constant to the gradient, as it is in training. Experts whose scores are equal
 * at the border are all chosen.
 */
export function routing(
  builder: GraphBuilder,
  logits: string,
  axis: number,
  design: ExpertDesign,
  { selection, number }: { readonly selection: string | undefined; readonly number: (value: number) => string },
): string {
  const last = builder.integers([-1]);
  const scores =
    design.scores === 'softmax' ? builder.add('Softmax', [logits], { axis: -1 }) : builder.add('Sigmoid', [logits]);
  const ranked = selection === undefined ? scores : builder.add('Add', [scores, selection]);
  const experts = builder.add('Shape', [ranked], { start: axis, end: axis + 1 });
  const count = builder.add('Min', [builder.integers([design.perToken]), experts]);
  const [best = ''] = builder.addMany('TopK', [ranked, count], 2, { axis: -1 });
  const border = builder.add('Slice', [
    best,
    last,
    builder.integers([Number.MAX_SAFE_INTEGER]),
    builder.integers([axis]),
  ]);
  const isChosen = builder.add('GreaterOrEqual', [ranked, border]);
  const chosen = builder.add('Where', [isChosen, scores, number(0)]);
  const { normalisation, factor } = design;
  const sum = () => builder.add('ReduceSum', [chosen, last], { keepdims: 1 });
  const shares =
    normalisation === undefined
      ? chosen
      : builder.add('Div', [chosen, normalisation === 0 ? sum() : builder.add('Add', [sum(), number(normalisation)])]);
  return factor === 1 ? shares : builder.add('Mul', [shares, number(factor)]);
}

/** The expert of each neuron, where an expert's neurons stand after each other. */
export function expertOfNeurons(experts: readonly number[]): number[] {
  return experts.flatMap((neurons, expert) => Array<number>(neurons).fill(expert));
}

/** 1 where a neuron belongs to an expert, else 0: [neurons, experts]. */
export function assignment(experts: readonly number[]): Float32Array {
  const owners = expertOfNeurons(experts);
  const table = new Float32Array(owners.length * experts.length);
  for (const [neuron, expert] of owners.entries()) table[neuron * experts.length + expert] = 1;
  return table;
}
