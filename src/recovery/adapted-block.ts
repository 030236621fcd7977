import { UnsupportedError } from '../errors.ts';
import { float, GraphBuilder } from '../onnx/builder.ts';
import type { Dimension, Graph, Node } from '../onnx/graph.ts';
import { differentiate } from '../passes/differentiate.ts';

/** The linear layers of a block that are adapted, by their program inputs. */
export const ADAPTED_WEIGHTS = [
  'attention.query',
  'attention.key',
  'attention.value',
  'attention.output',
  'convolution.inputGate',
  'convolution.outputGate',
  'convolution.value',
  'convolution.output',
  'mlp.gate',
  'mlp.up',
  'mlp.down',
] as const;

/**
 * Program inputs of an adapter: A [rank, groups] and B transposed [rank, outputs]. Products whose result has few rows are several times as fast in ONNX Runtime as those
 * with few columns, and the gradient of B is as large as its input.
 */
export const adapterInputs = (weight: string) => ({ down: `${weight}/down`, up: `${weight}/up` });

/**
 * Program inputs of a weight's trained steps: what its groups' factors differ from 1 by, and their minima, both [outputs, groups] and times the members of the group, since the pooling matrix divides
 * by them.
 */
export const stepInputs = (weight: string) => ({ change: `${weight}/steps`, minima: `${weight}/minima` });

export interface AdapterGraphOptions {
  /** s = scale / rank. */
  readonly strength: number;
  /** Whether adapters read the means of groups of inputs; else the inputs themselves. */
  readonly pooled: boolean;
  /** Whether what adapters read is multiplied by masks. */
  readonly dropout: boolean;
  /** Whether the steps of groups are trained beside the adapters: only where these are pooled. Default false. */
  readonly steps?: boolean;
}

/** One value that adapters read: layers with the same input share pooling, mask and the product with all their A. */
export interface AdapterSite {
  /** The first weight that reads the value; names the mask. */
  readonly weight: string;
  /** All that read it, in the order of the block. */
  readonly weights: readonly string[];
  /** Its channels in the block program. */
  readonly width: Dimension;
}

/** Program inputs of a site. Widths that are equal in every layer share a pooling matrix [groups, width]. */
export const siteInputs = ({ weight, width }: Pick<AdapterSite, 'weight' | 'width'>) => ({
  pool: `pool/${width}`,
  mask: `mask/${weight}`,
});

/** The values that adapters of a block read, in the order of the block. */
export function adapterSites(block: Graph): AdapterSite[] {
  const sites = new Map<string, AdapterSite>();
  for (const node of block.nodes) {
    const weight = adaptedWeight(block, node);
    const [input = ''] = node.inputs;
    const known = sites.get(input);
    if (weight)
      sites.set(
        input,
        known
          ? { ...known, weights: [...known.weights, weight] }
          : { weight, weights: [weight], width: widthOf(block, weight) },
      );
  }
  return [...sites.values()];
}

/**
 * The block with adapters: y = W x + s B A (mask * pool(x)) in place of y = W x for every adapted weight. Inputs beside the block's: `<weight>/down`,
 * `<weight>/up`, with `pooled` `pool/<width>`, with `dropout` `mask/<weight>` [batch, tokens, groups] of each site, with `steps` `stepInputs`: W + (W - beta) (factor - 1) stands in the place of W.
 * Throws UnsupportedError for a weight that anything but one Gemm reads.
 */
export function adaptedBlock(block: Graph, { strength, pooled, dropout, steps = false }: AdapterGraphOptions): Graph {
  const builder = new GraphBuilder('adapted block', { ...block, nodes: [] });
  const sites = adapterSites(block);
  const groups = ({ width }: AdapterSite): Dimension => (pooled ? `groups of ${width}` : width);
  if (pooled)
    for (const width of new Set(sites.map((site) => site.width)))
      builder.input(`pool/${width}`, 'float32', [`groups of ${width}`, width]);
  if (dropout)
    for (const site of sites) builder.input(siteInputs(site).mask, 'float32', ['batch', 'tokens', groups(site)]);
  const lowRanks = new Map<string, string>();
  let next = 0;
  /** A (mask * pool(x)) of every weight that reads `input`, by one product. */
  const readBy = (input: string) => {
    const site = sites[next++] as AdapterSite;
    const { pool, mask } = siteInputs(site);
    const name = (part: string) => ({ name: `${site.weight}/${part}` });
    const value = pooled ? builder.add('Gemm', [input, pool], { transB: 1 }, name('pooled')) : input;
    const rows = () =>
      builder.add('Reshape', [mask, builder.add('Shape', [value], {}, name('shape'))], {}, name('mask'));
    const masked = dropout ? builder.add('Mul', [value, rows()], {}, name('masked')) : value;
    const downs = site.weights.map((weight) =>
      builder.input(adapterInputs(weight).down, 'float32', ['rank', groups(site)]),
    );
    const down = downs.length > 1 ? builder.add('Concat', downs, { axis: 0 }, name('all down')) : (downs[0] ?? '');
    const product = builder.add('Gemm', [masked, down], { transB: 1 }, name('low rank'));
    const parts =
      downs.length > 1
        ? builder.addMany('Split', [product], downs.length, { axis: 1, num_outputs: downs.length }, name('low ranks'))
        : [product];
    for (const [index, weight] of site.weights.entries()) lowRanks.set(weight, parts[index] ?? '');
  };
  /** The weight with its groups' steps as they are trained. */
  const stepped = (weight: string, outputs: Dimension) => {
    const site = sites.find(({ weights }) => weights.includes(weight)) as AdapterSite;
    const spread = (name: string, part: string) =>
      builder.add(
        'Gemm',
        [builder.input(name, 'float32', [outputs, groups(site)]), siteInputs(site).pool],
        {},
        { name: `${weight}/${part}` },
      );
    const { change, minima } = stepInputs(weight);
    const above = builder.add('Sub', [weight, spread(minima, 'least')], {}, { name: `${weight}/above` });
    const added = builder.add('Mul', [above, spread(change, 'factors')], {}, { name: `${weight}/added` });
    return builder.add('Add', [weight, added], {}, { name: `${weight}/trained` });
  };
  for (const node of block.nodes) {
    const weight = adaptedWeight(block, node);
    const [input = ''] = node.inputs;
    const [output = ''] = node.outputs;
    if (!weight) {
      builder.append(node);
      continue;
    }
    if (!lowRanks.has(weight)) readBy(input);
    const { up } = adapterInputs(weight);
    const outputs = block.inputs.find(({ name }) => name === weight)?.shape[0] ?? 'outputs';
    builder.input(up, 'float32', ['rank', outputs]);
    const read = steps ? stepped(weight, outputs) : weight;
    const inputs = node.inputs.map((name) => (name === weight ? read : name));
    builder.append({ ...node, inputs, outputs: [`${output}/base`] });
    const change = builder.add(
      'Gemm',
      [lowRanks.get(weight) ?? '', up],
      { alpha: float(strength) },
      { name: `${weight}/change` },
    );
    builder.add('Add', [`${output}/base`, change], {}, { name: output });
  }
  for (const output of block.outputs) builder.output(output.name, output.dataType, output.shape);
  return builder.build(block.metadata);
}

/**
 * The backward program of the adapted block: recomputes it and gives `gradient/hidden` and the gradients of all adapters, and of trained steps, from `outputGradient`.
 * No gradient of a weight that is not trained is computed. `bindings`: example sizes of the block's symbols.
 */
export function adaptedGradient(
  block: Graph,
  options: AdapterGraphOptions,
  bindings: Readonly<Record<string, number>>,
): Graph {
  const adapted = adaptedBlock(block, options);
  const adapters = adapterSites(block).flatMap(({ weights }) =>
    weights.flatMap((weight) => [
      ...Object.values(adapterInputs(weight)),
      ...(options.steps ? [stepInputs(weight).change] : []),
    ]),
  );
  return differentiate(adapted, {
    seeds: { output: 'outputGradient' },
    wrt: ['hidden', ...adapters],
    bindings: adaptedSizes(block, bindings),
  });
}

/** Example sizes of the adapted block's symbols from those of the block's. */
export function adaptedSizes(block: Graph, bindings: Readonly<Record<string, number>>): Record<string, number> {
  const sizes: Record<string, number> = { ...bindings, rank: 13 };
  let next = 17;
  for (const { width } of adapterSites(block)) sizes[`groups of ${width}`] ??= next++;
  return sizes;
}

/** The adapted weight that a node multiplies by, if any. */
function adaptedWeight(block: Graph, node: Node): string | undefined {
  const weight = ADAPTED_WEIGHTS.find((name) => node.inputs.includes(name));
  if (!weight) return undefined;
  const readers = block.nodes.filter(({ inputs }) => inputs.includes(weight));
  const transposed = node.attributes.transB;
  if (
    node.operator === 'Gemm' &&
    node.inputs[1] === weight &&
    readers.length === 1 &&
    transposed?.kind === 'int' &&
    transposed.value === 1
  )
    return weight;
  throw new UnsupportedError(
    `The weight ${weight} is read by ${readers.map(({ operator }) => operator).join(', ')}; adapters need exactly one Gemm with transB=1.`,
  );
}

function widthOf(block: Graph, weight: string): Dimension {
  return block.inputs.find(({ name }) => name === weight)?.shape[1] ?? 'inputs';
}
